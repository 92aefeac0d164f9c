// The functions that the article's program calls and does not define, written
// in its manner.

// createUser falls back on it; the article defines it under another name.
async function getExistingUser(email) {
  return getUserByEmail(email);
}

async function findOrCreateCollection(name, parentId) {
  const headers = { "x-api-key": process.env.METABASE_API_KEY, "Content-Type": "application/json" };
  const collections = await fetch(`${process.env.METABASE_SITE_URL}/api/collection`, { headers }).then((r) => r.json());
  const existing = collections.find((c) => c.name === name && (c.location || "").endsWith(`/${parentId}/`));
  if (existing) return existing;
  const res = await fetch(`${process.env.METABASE_SITE_URL}/api/collection`, {
    method: "POST",
    headers,
    body: JSON.stringify({ name, parent_id: parentId }),
  });
  if (!res.ok) throw new Error(`Failed to create collection: ${await res.text()}`);
  return res.json();
}

async function getAllMetabaseUsers() {
  const { data } = await fetch(`${process.env.METABASE_SITE_URL}/api/user`, {
    headers: { "x-api-key": process.env.METABASE_API_KEY },
  }).then((r) => r.json());
  return data;
}

async function getAllMetabaseGroups() {
  return fetch(`${process.env.METABASE_SITE_URL}/api/permissions/group`, {
    headers: { "x-api-key": process.env.METABASE_API_KEY },
  }).then((r) => r.json());
}

// A role of the application is a group of the same name.
function resolveGroupIds(roles, groups) {
  return groups.filter((g) => roles.includes(g.name)).map((g) => g.id);
}
