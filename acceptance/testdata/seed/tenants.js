// Two tenants of one warehouse, provisioned by the article's program
// (provisioning.js), with a sandbox each and dashboards that they share: each
// sees its own rows wherever it looks, and somebody of neither sees nothing.
"use strict";
const assert = require("node:assert/strict");
const test = require("node:test");
const { admin, databaseId, call, must, signIn, tableId, count, assertRows, assertRefused } = require("./tools.js");

const question = (query) => ({ database: databaseId, type: "query", query });
const rowsOf = (answer) => {
  assert.ok([200, 202].includes(answer.status) && answer.json.status === "completed", `${answer.status} ${answer.text}`);
  return answer.json.data.rows;
};

test("two tenants of one warehouse", async (t) => {
  const [orders, products] = [await tableId("orders"), await tableId("products")];
  const fields = (await must(200, admin, "GET", `/api/table/${orders}/query_metadata`)).fields;
  const organization = fields.find((f) => f.name === "organization_id").id;
  const total = fields.find((f) => f.name === "total").id;
  const shared = await must(200, admin, "POST", "/api/collection", { name: "For all tenants" });

  // The questions and the dashboard that the tenants share.
  const card = async (name, dataset_query) =>
    must(200, admin, "POST", "/api/card", { name, display: "table", visualization_settings: {}, collection_id: shared.id, dataset_query });
  const byOrganization = { "source-table": orders, aggregation: [["count"]], breakout: [["field", organization, null]] };
  const built = await card("Orders by organization", question(byOrganization));
  const typed = await card("Orders by organization, in SQL", {
    database: databaseId,
    type: "native",
    native: { query: "select organization_id, count(*) from orders group by organization_id" },
  });
  const dashboard = await must(200, admin, "POST", "/api/dashboard", { name: "Orders of everybody", collection_id: shared.id });
  const places = [built, typed].map((c, i) => ({ id: -1 - i, card_id: c.id, row: 4 * i, col: 0, size_x: 4, size_y: 4 }));
  const { dashcards } = await must(200, admin, "PUT", `/api/dashboard/${dashboard.id}`, { dashcards: places });
  const truth = Object.fromEntries(rowsOf(await call(admin, "POST", "/api/dataset", question(byOrganization))));

  // Every table is a tenant's, but for the products.
  await must(200, { ...admin, "If-Match": "*" }, "PATCH", "/api/permissions/graph", {
    changes: [
      { op: "strict", database_id: databaseId },
      { op: "shared", database_id: databaseId, table_id: products },
    ],
  });

  const tenants = [];
  for (const [tenantId, tenantName] of [[2, "Acme"], [3, "Globex"]]) {
    const adminUser = { email: `owner@${tenantName.toLowerCase()}.example`, firstName: "Olive", lastName: tenantName };
    const made = await provisionTenant({ tenantId, tenantName, adminUser, databaseId, sharedCollectionId: shared.id });
    await setCollectionPermission(made.groupId, shared.id, "read");
    tenants.push({ ...made, tenantId, ...(await signIn({ id: made.userId, email: adminUser.email })) });
  }
  const stranger = await signIn(await createUser({ firstName: "Stan", lastName: "Stranger", email: "stan@example.com" }));

  await t.test("see no tenant's table before there is a policy", async () => {
    for (const { who } of tenants) {
      await assertRefused(who, "orders", "a strict database");
      await assertRows(who, "products", "a table that is shared");
    }
  });

  const { revision } = await getPermissionsGraph();
  const wrote = await must(200, admin, "PUT", "/api/permissions/graph", {
    revision,
    groups: Object.fromEntries(tenants.map(({ groupId }) => [groupId, { [databaseId]: { "create-queries": "query-builder-and-native" } }])),
    sandboxes: tenants.map(({ groupId }) => ({
      group_id: groupId,
      table_id: orders,
      attribute_remappings: { organization_id: ["dimension", ["field", organization, null]] },
    })),
  });
  assert.equal(wrote.sandboxes.length, 2);

  for (const { who, tenantId } of tenants) {
    const own = [[tenantId, truth[tenantId]]];
    await t.test(`tenant ${tenantId} sees its own rows`, async (t) => {
      await t.test("in questions", async () => {
        const answer = await call(who, "POST", "/api/dataset", question(byOrganization));
        assert.deepEqual(rowsOf(answer), own);
        assert.equal(answer.json.data.is_sandboxed, true);
        assert.deepEqual(rowsOf(await call(who, "POST", "/api/dataset", question({ ...byOrganization, filter: ["!=", ["field", organization, null], tenantId] }))), []);
      });
      await t.test("on the dashboard", async () => {
        const shown = await must(200, who, "GET", `/api/dashboard/${dashboard.id}`);
        assert.equal(shown.dashcards.length, 2);
        const place = `/api/dashboard/${dashboard.id}/dashcard/${dashcards.find((d) => d.card_id === built.id).id}/card/${built.id}/query`;
        assert.deepEqual(rowsOf(await call(who, "POST", place, {})), own);
      });
      await t.test("in values, search and exports", async () => {
        const values = await must(200, who, "GET", `/api/field/${organization}/values`);
        assert.deepEqual(values.values, [[tenantId]]);
        const found = await must(200, who, "GET", "/api/search?q=organization");
        assert.ok(found.data.some((item) => item.id === built.id), JSON.stringify(found.data));
        const csv = await call(who, "POST", `/api/card/${built.id}/query/csv`, {});
        assert.equal(csv.status, 200, csv.text);
        assert.deepEqual(csv.text.trim().split(/\r?\n/).slice(1), [own[0].join(",")]);
        assert.equal(rowsOf(await call(who, "POST", "/api/dataset", question({ "source-table": orders, aggregation: [["max", ["field", total, null]]] }))).length, 1);
      });
      await t.test("in SQL, saved and typed", async () => {
        const ask = { database: databaseId, type: "native", native: { query: "select organization_id, count(*) from orders group by organization_id" } };
        const answers = [await call(who, "POST", `/api/card/${typed.id}/query`, {}), await call(who, "POST", "/api/dataset", ask)];
        for (const answer of answers) assert.deepEqual(rowsOf(answer), own);
      });
    });
  }

  await t.test("are nobody else's", async () => {
    const { who } = stranger;
    await assertRefused(who, "orders", "somebody of no tenant");
    assert.equal((await call(who, "GET", `/api/dashboard/${dashboard.id}`)).status, 403);
    assert.notEqual((await call(who, "GET", `/api/field/${organization}/values`)).status, 200);
    // Also where the collection is open to all: the table is governed.
    await setCollectionPermission(1, shared.id, "read");
    for (const { id } of [built, typed]) {
      const answer = await call(who, "POST", `/api/card/${id}/query`, {});
      assert.deepEqual(answer.json?.data?.rows ?? [], [], answer.text);
    }
    assert.equal((await count(who, "orders")).json.status, "failed");
  });

  await t.test("stay as they are when they are provisioned again", async () => {
    for (const [i, tenantName] of ["Acme", "Globex"].entries()) {
      const adminUser = { email: `owner@${tenantName.toLowerCase()}.example`, firstName: "Olive", lastName: tenantName };
      await provisionTenant({ tenantId: i + 2, tenantName, adminUser, databaseId, sharedCollectionId: shared.id });
      assert.deepEqual(rowsOf(await call(tenants[i].who, "POST", "/api/dataset", question(byOrganization))), [[i + 2, truth[i + 2]]]);
    }
  });
});
