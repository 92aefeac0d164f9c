// The JavaScript of the article "How to Provision Metabase Users and
// Permissions Programmatically", as published. The publication lost the line
// breaks and the backticks of template strings; they are put back, and nothing
// else is changed. The helpers that the article calls but does not define are
// in helpers.js. Its three top-level example calls are made by driver.js.

// --- User Management: Creating a User

async function createUser({ firstName, lastName, email, groupIds = [] }) {
  const res = await fetch(`${process.env.METABASE_SITE_URL}/api/user`, {
    method: "POST",
    headers: {
      "x-api-key": process.env.METABASE_API_KEY,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({
      first_name: firstName,
      last_name: lastName,
      email,
      // password is required but will be overridden by SSO if configured
      password: generateSecurePassword(),
    }),
  });

  if (!res.ok) {
    const error = await res.json();
    // Handle "email already exists" gracefully
    if (res.status === 400 && error.errors?.email) {
      return getExistingUser(email);
    }
    throw new Error(`Failed to create user: ${JSON.stringify(error)}`);
  }

  const user = await res.json();

  // Add to specified groups
  for (const groupId of groupIds) {
    await addUserToGroup(user.id, groupId);
  }

  return user;
}

function generateSecurePassword() {
  // Generate a random password — user will authenticate via SSO
  // or reset password via email
  return require("crypto").randomBytes(32).toString("hex");
}

// --- Finding an Existing User

async function getUserByEmail(email) {
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/user?query=${encodeURIComponent(email)}`,
    {
      headers: { "x-api-key": process.env.METABASE_API_KEY },
    }
  );
  const { data } = await res.json();
  return data.find((u) => u.email === email) || null;
}

// --- Updating a User

async function updateUser(userId, updates) {
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/user/${userId}`,
    {
      method: "PUT",
      headers: {
        "x-api-key": process.env.METABASE_API_KEY,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(updates),
    }
  );
  return res.json();
}

// --- Deactivating a User

async function deactivateUser(userId) {
  await fetch(`${process.env.METABASE_SITE_URL}/api/user/${userId}`, {
    method: "DELETE",
    headers: { "x-api-key": process.env.METABASE_API_KEY },
  });
}

// --- Group Management: Creating a Group

async function createGroup(name) {
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/permissions/group`,
    {
      method: "POST",
      headers: {
        "x-api-key": process.env.METABASE_API_KEY,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ name }),
    }
  );
  return res.json();
}

// --- Adding and Removing Users from Groups

async function addUserToGroup(userId, groupId) {
  await fetch(
    `${process.env.METABASE_SITE_URL}/api/permissions/group/${groupId}/membership`,
    {
      method: "POST",
      headers: {
        "x-api-key": process.env.METABASE_API_KEY,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ user_id: userId }),
    }
  );
}

async function removeUserFromGroup(membershipId) {
  await fetch(
    `${process.env.METABASE_SITE_URL}/api/permissions/membership/${membershipId}`,
    {
      method: "DELETE",
      headers: { "x-api-key": process.env.METABASE_API_KEY },
    }
  );
}

async function getUserGroupMemberships(userId) {
  const user = await fetch(
    `${process.env.METABASE_SITE_URL}/api/user/${userId}`,
    { headers: { "x-api-key": process.env.METABASE_API_KEY } }
  ).then((r) => r.json());

  return user.group_ids || [];
}

// --- Configuring the Permissions Graph: Reading the Permissions Graph

async function getPermissionsGraph() {
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/permissions/graph`,
    { headers: { "x-api-key": process.env.METABASE_API_KEY } }
  );
  return res.json();
}

// --- Updating the Permissions Graph

async function updatePermissionsGraph(graphModifier) {
  // Read current graph
  const graph = await getPermissionsGraph();

  // Apply modifications
  const updatedGraph = graphModifier(graph);

  // Write back with the current revision number
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/permissions/graph`,
    {
      method: "PUT",
      headers: {
        "x-api-key": process.env.METABASE_API_KEY,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(updatedGraph),
    }
  );
  return res.json();
}

// Grant a group full access to a database
async function grantDatabaseAccess(groupId, databaseId) {
  return updatePermissionsGraph((graph) => {
    if (!graph.groups[groupId]) {
      graph.groups[groupId] = {};
    }
    graph.groups[groupId][databaseId] = {
      schemas: "all",
    };
    return graph;
  });
}

// Revoke a group's access to a database
async function revokeDatabaseAccess(groupId, databaseId) {
  return updatePermissionsGraph((graph) => {
    if (graph.groups[groupId]) {
      delete graph.groups[groupId][databaseId];
    }
    return graph;
  });
}

// --- Collection Permissions

async function getCollectionPermissionsGraph() {
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/collection/graph`,
    { headers: { "x-api-key": process.env.METABASE_API_KEY } }
  );
  return res.json();
}

async function setCollectionPermission(groupId, collectionId, permission) {
  const graph = await getCollectionPermissionsGraph();

  if (!graph.groups[groupId]) {
    graph.groups[groupId] = {};
  }

  // Permission values: "write" (curate), "read" (view), "none"
  graph.groups[groupId][collectionId] = permission;

  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/collection/graph`,
    {
      method: "PUT",
      headers: {
        "x-api-key": process.env.METABASE_API_KEY,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(graph),
    }
  );
  return res.json();
}

// --- Full Tenant Provisioning Pattern

async function provisionTenant({
  tenantId,
  tenantName,
  adminUser,
  databaseId,
  sharedCollectionId, // collection with shared/template dashboards
}) {
  console.log(`Provisioning tenant: ${tenantName}`);

  // 1. Create permission group for this tenant
  const group = await findOrCreateGroup(`Tenant: ${tenantId}`);

  // 2. Create admin user
  const user = await findOrCreateUser({
    email: adminUser.email,
    firstName: adminUser.firstName,
    lastName: adminUser.lastName,
  });

  // Set user attributes for data sandboxing
  await updateUser(user.id, {
    login_attributes: {
      organization_id: String(tenantId),
    },
  });

  // 3. Add user to tenant group
  const memberships = await getUserGroupMemberships(user.id);
  if (!memberships.includes(group.id)) {
    await addUserToGroup(user.id, group.id);
  }

  // 4. Create a collection for this tenant's dashboards
  const collection = await findOrCreateCollection(
    `${tenantName} Dashboards`,
    sharedCollectionId
  );

  // 5. Grant the tenant group read access to their collection
  await setCollectionPermission(group.id, collection.id, "read");

  // 6. Grant data access (sandboxed) for the shared database
  // Note: sandbox policy configuration is separate — done via Admin UI
  // or /api/permissions/graph with sandboxed table settings
  await grantDatabaseAccess(group.id, databaseId);

  console.log(`✓ Tenant ${tenantName} provisioned`);
  return {
    groupId: group.id,
    userId: user.id,
    collectionId: collection.id,
  };
}

// Helper: find or create to make the function idempotent
async function findOrCreateGroup(name) {
  const res = await fetch(
    `${process.env.METABASE_SITE_URL}/api/permissions/group`,
    { headers: { "x-api-key": process.env.METABASE_API_KEY } }
  );
  const groups = await res.json();
  const existing = groups.find((g) => g.name === name);
  if (existing) return existing;
  return createGroup(name);
}

async function findOrCreateUser({ email, firstName, lastName }) {
  const existing = await getUserByEmail(email);
  if (existing) return existing;
  return createUser({ email, firstName, lastName });
}

// --- Syncing Permissions with an External System

async function syncPermissions(appUsers) {
  const [metabaseUsers, metabaseGroups] = await Promise.all([
    getAllMetabaseUsers(),
    getAllMetabaseGroups(),
  ]);

  const metabaseUserByEmail = Object.fromEntries(
    metabaseUsers.map((u) => [u.email, u])
  );

  for (const appUser of appUsers) {
    const mbUser = metabaseUserByEmail[appUser.email];

    if (!mbUser) {
      // User exists in app but not in Metabase — provision them
      await createUser({
        email: appUser.email,
        firstName: appUser.firstName,
        lastName: appUser.lastName,
      });
      continue;
    }

    // Sync group membership
    const expectedGroupIds = resolveGroupIds(appUser.roles, metabaseGroups);
    const currentGroupIds = mbUser.group_ids || [];

    const toAdd = expectedGroupIds.filter((id) => !currentGroupIds.includes(id));
    const toRemove = currentGroupIds.filter(
      (id) => !expectedGroupIds.includes(id) && id !== 1
    ); // never remove from All Users

    for (const groupId of toAdd) {
      await addUserToGroup(mbUser.id, groupId);
    }
    // Note: removing group membership requires the membership ID, not user/group IDs
  }
}
