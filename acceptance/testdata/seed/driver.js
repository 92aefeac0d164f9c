// Runs the article's program (provisioning.js) against a real server and
// checks what it did, from outside: by the API and as the people it made.
"use strict";
const assert = require("node:assert/strict");
const test = require("node:test");
const { admin, databaseId, call, must, trySignIn, signIn, tableId, assertRows, assertRefused } = require("./tools.js");

const membershipsOf = async (userId) => (await must(200, admin, "GET", "/api/permissions/membership"))[userId] ?? [];

// everything is what a run of the program could add to.
async function everything() {
  const [users, groups, memberships, collections, data, folders] = await Promise.all([
    must(200, admin, "GET", "/api/user?status=all"),
    must(200, admin, "GET", "/api/permissions/group"),
    must(200, admin, "GET", "/api/permissions/membership"),
    must(200, admin, "GET", "/api/collection"),
    must(200, admin, "GET", "/api/permissions/graph"),
    must(200, admin, "GET", "/api/collection/graph"),
  ]);
  return {
    users: users.data.map((u) => [u.id, u.email, u.is_active, u.group_ids]),
    groups,
    memberships,
    collections: collections.map((c) => [c.id, c.name, c.location]),
    data: data.groups,
    folders: folders.groups,
  };
}

test("people", async (t) => {
  let user;
  await t.test("are created and found by e-mail", async () => {
    user = await createUser({ firstName: "Ada", lastName: "Lovelace", email: "ada@example.com" });
    assert.ok(Number.isInteger(user.id), JSON.stringify(user));
    assert.equal(user.email, "ada@example.com");
    assert.equal(user.first_name, "Ada");
    assert.equal(user.is_active, true);
    assert.equal((await getUserByEmail("ada@example.com")).id, user.id);
    assert.equal(await getUserByEmail("nobody@example.com"), null);
  });

  await t.test("have an address once", async () => {
    for (const email of ["ada@example.com", "ADA@Example.com"]) {
      const again = await call(admin, "POST", "/api/user", { first_name: "A", last_name: "L", email });
      assert.equal(again.status, 400, again.text);
      assert.match(again.json.errors.email, /already in use/);
    }
    assert.equal((await createUser({ firstName: "A", lastName: "L", email: "ada@example.com" })).id, user.id);
  });

  await t.test("bear attributes", async () => {
    const updated = await updateUser(user.id, { login_attributes: { organization_id: "99", role: "admin" } });
    assert.deepEqual(updated.login_attributes, { organization_id: "99", role: "admin" });
    const read = await must(200, admin, "GET", `/api/user/${user.id}`);
    assert.deepEqual(read.login_attributes, { organization_id: "99", role: "admin" });
    assert.equal(read.first_name, "Ada");
  });

  await t.test("are deactivated softly", async () => {
    const { who, password } = await signIn(user);
    const me = await must(200, who, "GET", "/api/user/current");
    const kept = await must(200, who, "POST", "/api/dashboard", { name: "Ada's own", collection_id: me.personal_collection_id });

    await deactivateUser(user.id);

    assert.equal((await call(who, "GET", "/api/user/current")).status, 401, "the open session is dead");
    const refused = await trySignIn("ada@example.com", password);
    assert.ok(refused.status >= 400 && refused.status < 500, `signed in: ${refused.text}`);
    assert.equal(await getUserByEmail("ada@example.com"), null, "not among the active");
    const read = await must(200, admin, "GET", `/api/dashboard/${kept.id}`);
    assert.equal(read.name, "Ada's own");
    assert.equal(read.creator_id, user.id);
    const again = await call(admin, "POST", "/api/user", { first_name: "A", last_name: "L", email: "ada@example.com" });
    assert.equal(again.status, 400, "the address stays taken");
    assert.ok(again.json.errors.email, again.text);
  });
});

test("groups", async (t) => {
  const group = await createGroup("Analysts");
  const user = await createUser({ firstName: "Grace", lastName: "Hopper", email: "grace@example.com", groupIds: [group.id] });

  await t.test("are made and found", async () => {
    assert.ok(group.id > 2, JSON.stringify(group));
    assert.equal((await findOrCreateGroup("Analysts")).id, group.id);
    for (const name of ["Analysts", "ANALYSTS"]) {
      assert.equal((await call(admin, "POST", "/api/permissions/group", { name })).status, 400, name);
    }
  });

  await t.test("take a member once", async () => {
    assert.deepEqual(await getUserGroupMemberships(user.id), [1, group.id]);
    await addUserToGroup(user.id, group.id);
    assert.deepEqual(await getUserGroupMemberships(user.id), [1, group.id]);
    const members = (await must(200, admin, "GET", `/api/permissions/group/${group.id}`)).members;
    assert.deepEqual(members.map((m) => m.user_id), [user.id]);
    assert.deepEqual((await getUserByEmail("grace@example.com")).group_ids, [1, group.id]);
  });

  await t.test("lose a member by the membership's id", async () => {
    const membership = (await membershipsOf(user.id)).find((m) => m.group_id === group.id);
    await removeUserFromGroup(membership.membership_id);
    assert.deepEqual(await getUserGroupMemberships(user.id), [1]);
    const all = (await membershipsOf(user.id)).find((m) => m.group_id === 1);
    if (all) await removeUserFromGroup(all.membership_id);
    assert.deepEqual(await getUserGroupMemberships(user.id), [1], "nobody leaves All Users");
  });

  await t.test("lose a member by person and group, the gap that the article notes", async () => {
    await addUserToGroup(user.id, group.id);
    for (let i = 0; i < 2; i++) {
      const gone = await call(admin, "DELETE", `/api/permissions/group/${group.id}/membership/user/${user.id}`);
      assert.equal(gone.status, 204, gone.text);
    }
    assert.deepEqual(await getUserGroupMemberships(user.id), [1]);
  });
});

test("the permissions graph", async (t) => {
  const group = await createGroup("Shop readers");
  const user = await createUser({ firstName: "Karen", lastName: "Jones", email: "karen@example.com", groupIds: [group.id] });
  const { who } = await signIn(user);
  const entry = async () => (await getPermissionsGraph()).groups[group.id]?.[databaseId];

  await t.test("starts with nothing, and nothing is answered", async () => {
    assert.ok(Number.isInteger((await getPermissionsGraph()).revision));
    assert.equal(await entry(), undefined);
    await assertRefused(who, "orders", "before the grant");
  });

  await t.test("grants a database, and its questions are answered", async () => {
    const before = (await getPermissionsGraph()).revision;
    const after = await grantDatabaseAccess(group.id, databaseId);
    assert.ok(after.revision > before, JSON.stringify(after));
    assert.equal((await entry()).schemas, "all");
    await assertRows(who, "orders", "after the grant");
  });

  await t.test("refuses a stale revision that touches what changed, and applies nothing of it", async () => {
    const [first, second] = await Promise.all([getPermissionsGraph(), getPermissionsGraph()]);
    delete first.groups[group.id][databaseId];
    await must(200, admin, "PUT", "/api/permissions/graph", first);
    second.groups[group.id][databaseId] = { schemas: "all", native: "write" };
    const late = await call(admin, "PUT", "/api/permissions/graph", second);
    assert.equal(late.status, 409, late.text);
    assert.equal(await entry(), undefined);
    await assertRefused(who, "orders", "the refused grant");
    const { revision, ...nameless } = second;
    assert.equal((await call(admin, "PUT", "/api/permissions/graph", nameless)).status, 409, "no revision at all");
    const future = await call(admin, "PUT", "/api/permissions/graph", { ...second, revision: revision + 1000 });
    assert.equal(future.status, 409, future.text);
    assert.equal(await entry(), undefined);
  });

  await t.test("lets unrelated edits of one revision both succeed", async () => {
    const other = await createGroup("Other readers");
    const [first, second] = await Promise.all([getPermissionsGraph(), getPermissionsGraph()]);
    (first.groups[group.id] ??= {})[databaseId] = { schemas: "all" };
    (second.groups[other.id] ??= {})[databaseId] = { schemas: "all" };
    await must(200, admin, "PUT", "/api/permissions/graph", first);
    await must(200, admin, "PUT", "/api/permissions/graph", second);
    const { groups } = await getPermissionsGraph();
    assert.equal(groups[group.id][databaseId].schemas, "all");
    assert.equal(groups[other.id][databaseId].schemas, "all");
  });

  await t.test("revokes by deleting the key and writing the rest back", async () => {
    await assertRows(who, "orders", "before the revoke");
    await revokeDatabaseAccess(group.id, databaseId);
    assert.equal(await entry(), undefined);
    await assertRefused(who, "orders", "after the revoke");
  });
});

test("collection permissions", async () => {
  const group = await createGroup("Board");
  const user = await createUser({ firstName: "Mary", lastName: "Kenneth", email: "mary@example.com", groupIds: [group.id] });
  const { who } = await signIn(user);
  const collection = await must(200, admin, "POST", "/api/collection", { name: "Board papers" });
  const level = async () => (await getCollectionPermissionsGraph()).groups[group.id]?.[collection.id] ?? "none";
  const reads = async () => (await call(who, "GET", `/api/collection/${collection.id}`)).status;
  const keeps = async () =>
    (await call(who, "POST", "/api/dashboard", { name: "Minutes", collection_id: collection.id })).status;

  assert.equal(await level(), "none");
  assert.equal(await reads(), 403);

  await setCollectionPermission(group.id, collection.id, "read");
  assert.equal(await level(), "read");
  assert.equal(await reads(), 200);
  assert.equal(await keeps(), 403);

  await setCollectionPermission(group.id, collection.id, "write");
  assert.equal(await level(), "write");
  assert.equal(await keeps(), 200);

  await setCollectionPermission(group.id, collection.id, "none");
  assert.equal(await level(), "none");
  assert.equal(await reads(), 403);
  assert.equal(await keeps(), 403);
});

test("provisioning a tenant", async (t) => {
  const shared = await must(200, admin, "POST", "/api/collection", { name: "Tenants" });
  const tenant = {
    tenantId: 2,
    tenantName: "Acme",
    adminUser: { email: "owner@acme.example", firstName: "Olive", lastName: "Owner" },
    databaseId,
    sharedCollectionId: shared.id,
  };
  let made;
  let who;

  await t.test("makes the group, the person, the collection and the grants", async () => {
    made = await provisionTenant(tenant);
    ({ who } = await signIn({ id: made.userId, email: tenant.adminUser.email }));
    const user = await must(200, admin, "GET", `/api/user/${made.userId}`);
    assert.deepEqual(user.login_attributes, { organization_id: "2" });
    assert.deepEqual(user.group_ids, [1, made.groupId]);
    const collection = await must(200, who, "GET", `/api/collection/${made.collectionId}`);
    assert.equal(collection.name, "Acme Dashboards");
    assert.equal((await call(who, "GET", `/api/collection/${shared.id}`)).status, 403, "the shared folder was not granted");
    assert.equal((await getPermissionsGraph()).groups[made.groupId][databaseId].schemas, "all");
    await assertRows(who, "orders", "the tenant's question");
  });

  await t.test("again adds nothing", async () => {
    const before = await everything();
    assert.deepEqual(await provisionTenant(tenant), made);
    assert.deepEqual(await everything(), before);
  });

  await t.test("again opens no sandbox that was set in between", async () => {
    const orders = await tableId("orders");
    const { revision } = await getPermissionsGraph();
    await must(200, admin, "PUT", "/api/permissions/graph", {
      revision,
      groups: { [made.groupId]: { [databaseId]: { "view-data": { "": { [orders]: "sandboxed" } } } } },
    });
    const view = async () => (await getPermissionsGraph()).groups[made.groupId][databaseId]["view-data"];
    assert.equal((await view())[""][orders], "sandboxed");
    await assertRefused(who, "orders", "sandboxed without a policy");

    assert.deepEqual(await provisionTenant(tenant), made);

    assert.equal((await view())[""][orders], "sandboxed");
    await assertRefused(who, "orders", "sandboxed, after the second run");
    await assertRows(who, "products", "the tables beside it");
  });

  await t.test("of a neighbour shows neither to the other", async () => {
    const next = await provisionTenant({
      ...tenant,
      tenantId: 3,
      tenantName: "Globex",
      adminUser: { email: "owner@globex.example", firstName: "Gus", lastName: "Owner" },
    });
    assert.equal((await call(who, "GET", `/api/collection/${next.collectionId}`)).status, 403);
    const names = (await must(200, who, "GET", "/api/collection")).map((c) => c.name);
    assert.ok(names.includes("Acme Dashboards"), names.join());
    assert.ok(!names.includes("Globex Dashboards"), names.join());
  });
});

test("syncing with an external system", async () => {
  const [sales, support] = [await createGroup("sales"), await createGroup("support")];
  const known = await createUser({ firstName: "Known", lastName: "Person", email: "known@example.com", groupIds: [support.id] });
  const people = [
    { email: "known@example.com", firstName: "Known", lastName: "Person", roles: ["sales"] },
    { email: "new@example.com", firstName: "New", lastName: "Person", roles: ["sales", "support"] },
  ];

  await syncPermissions(people);
  assert.deepEqual(await getUserGroupMemberships(known.id), [1, sales.id, support.id], "added; the program removes nobody");
  const fresh = await getUserByEmail("new@example.com");
  assert.ok(fresh, "provisioned");
  assert.deepEqual(await getUserGroupMemberships(fresh.id), [1]);

  await syncPermissions(people);
  assert.deepEqual(await getUserGroupMemberships(fresh.id), [1, sales.id, support.id], "groups come with the second run");
  const before = await everything();
  await syncPermissions(people);
  assert.deepEqual(await everything(), before, "a third run adds nothing");
});
