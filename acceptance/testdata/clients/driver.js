// Runs published programs for Metabase's API, unchanged, against a real
// server, and checks from outside what they did. METABASE_URL and
// METABASE_API_KEY (an administrator's), METABASE_USERNAME and
// METABASE_PASSWORD say where and as whom; WAREHOUSE is a file of SQLite's.
"use strict";
const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { join } = require("node:path");
const test = require("node:test");
const { promisify } = require("node:util");
const { serve } = require("./mcp.js");

const site = process.env.METABASE_URL;
const key = process.env.METABASE_API_KEY;
const database = 1; // the sample warehouse

// ask makes one request as the administrator.
async function ask(method, path, body) {
  const res = await fetch(site + path, {
    method,
    headers: { "x-api-key": key, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const text = await res.text();
  return { status: res.status, text, json: /json/.test(res.headers.get("Content-Type")) ? JSON.parse(text) : undefined };
}

async function must(status, method, path, body) {
  const answer = await ask(method, path, body);
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  return answer.json;
}

let tables;
async function table(name) {
  tables ??= await must(200, "GET", "/api/table");
  return tables.find((t) => t.name === name).id;
}

async function field(of, name) {
  const { fields } = await must(200, "GET", `/api/table/${await table(of)}/query_metadata`);
  return fields.find((f) => f.name === name).id;
}

// count is how many rows a table has, by the server's own answer.
async function count(name) {
  const answer = await must(202, "POST", "/api/dataset", {
    database,
    type: "query",
    query: { "source-table": await table(name), aggregation: [["count"]] },
  });
  return answer.data.rows[0][0];
}

const run = promisify(execFile);
const program = join(__dirname, "node_modules", ".bin", "mb");

// mb runs Metabase's command line, which checks each answer against its
// schemas, and gives what it prints.
async function mb(...args) {
  const { stdout } = await run(program, args, { env: { ...process.env, MB_URL: site, MB_API_KEY: key } });
  return stdout;
}
const mbJSON = async (...args) => JSON.parse(await mb(...args, "--json"));

// mbFails gives what it says where it does not succeed.
async function mbFails(env, ...args) {
  try {
    await run(program, [...args, "--json"], { env: { ...process.env, MB_URL: site, MB_API_KEY: key, ...env } });
  } catch (failed) {
    return failed.stdout + failed.stderr;
  }
  assert.fail(`mb ${args.join(" ")} succeeded`);
}

test("mb signs in and reads and describes what there is", async () => {
  const login = await mbJSON("auth", "login", "--url", site);
  assert.equal(login.authenticated, true);
  assert.equal(login.user.isAdmin, true);
  assert.ok(login.version.major >= 58, JSON.stringify(login));

  assert.deepEqual((await mbJSON("db", "list")).data.map((d) => d.id), [database]);
  assert.equal((await mbJSON("db", "get", `${database}`)).engine, "sqlite");
  assert.equal((await mbJSON("db", "schemas", `${database}`)).returned, 1);
  assert.equal((await mbJSON("db", "sync-schema", `${database}`)).status, "ok");
  assert.equal((await mbJSON("db", "rescan-values", `${database}`)).status, "ok");
  const listed = (await mbJSON("table", "list")).data.map((t) => t.name);
  for (const name of ["orders", "people", "products"]) assert.ok(listed.includes(name), `${listed}`);

  const products = await table("products");
  const whole = await mbJSON("table", "get", `${products}`, "--include", "fields");
  assert.ok(whole.fields.some((f) => f.name === "price" && f.base_type === "type/Float"));
  await mb("table", "update", `${products}`, "--body", '{"description":"What the shop sells"}', "--json");
  assert.equal((await must(200, "GET", `/api/table/${products}`)).description, "What the shop sells");

  const category = await field("products", "category");
  const values = await mbJSON("field", "values", `${category}`);
  assert.ok(values.values.length > 1 && values.has_more_values === false, JSON.stringify(values));
  await mb("field", "update", `${category}`, "--body", '{"semantic_type":"type/Category"}', "--json");
  assert.equal((await must(200, "GET", `/api/field/${category}`)).semantic_type, "type/Category");

  await mb("setting", "set", "site-name", '"The shop"', "--json");
  assert.equal((await mbJSON("setting", "get", "site-name")).value, "The shop");
  assert.ok((await mbJSON("search", "products", "--models", "table")).data.some((f) => f.id === products));
  assert.deepEqual((await mbJSON("segment", "list")).data, []);
});

test("mb saves questions, runs them and puts them on a dashboard", async () => {
  const folder = await mbJSON("collection", "create", "--body", '{"name":"By mb","parent_id":null}');
  const save = (body) => mbJSON("card", "create", "--full", "--body", JSON.stringify({ display: "scalar", visualization_settings: {}, collection_id: folder.id, ...body }));
  const staged = {
    "lib/type": "mbql/query",
    database,
    stages: [{ "lib/type": "mbql.stage/mbql", "source-table": await table("products"), aggregation: [["count", { "lib/uuid": "6f2cd6a2-6f60-4a8e-8d3d-0b4f2a5bb0b1" }]] }],
  };
  const howMany = await save({ name: "How many products", dataset_query: staged });
  assert.deepEqual(howMany.dataset_query, staged);
  const sql = await save({ name: "Counted by SQL", dataset_query: { database, type: "native", native: { query: "select count(*) as n from products" } } });
  const products = await count("products");
  for (const card of [howMany, sql]) {
    const result = await mbJSON("card", "query", `${card.id}`);
    assert.deepEqual(result.data.rows, [[products]]);
  }
  assert.equal(await mb("card", "query", `${sql.id}`, "--export-format", "csv"), `n\n${products}\n`);
  assert.deepEqual((await mbJSON("query", "--body", JSON.stringify(staged))).data.rows, [[products]]);
  assert.match(await mbFails({}, "card", "get", "999999"), /Not found/);

  const board = await mbJSON("dashboard", "create", "--full", "--body", JSON.stringify({
    name: "Numbers",
    collection_id: folder.id,
    tabs: [{ id: -1, name: "First" }, { id: -2, name: "Second" }],
    dashcards: [
      { id: -1, card_id: howMany.id, dashboard_tab_id: -2, row: 0, col: 0, size_x: 12, size_y: 6 },
      { id: -2, card_id: null, dashboard_tab_id: -1, row: 0, col: 0, size_x: 12, size_y: 1, visualization_settings: { text: "Hello", virtual_card: { display: "heading" } } },
    ],
  }));
  const place = board.dashcards.find((d) => d.card_id === howMany.id);
  assert.equal(place.dashboard_tab_id, board.tabs[1].id);
  await mb("dashboard", "update-dashcard", `${board.id}`, `${place.id}`, "--body", '{"row":4}', "--json");
  const stored = await must(200, "GET", `/api/dashboard/${board.id}`);
  assert.equal(stored.dashcards.find((d) => d.id === place.id).row, 4);
  assert.equal(stored.dashcards.length, 2);

  const items = await mbJSON("collection", "items", `${folder.id}`);
  assert.deepEqual(items.data.map((i) => i.model).sort(), ["card", "card", "dashboard"]);
  await mb("card", "archive", `${sql.id}`, "--json");
  assert.ok((await mbJSON("card", "list", "--filter", "archived")).data.some((c) => c.id === sql.id));
  await mb("dashboard", "archive", `${board.id}`, "--json");
  await mb("collection", "archive", `${folder.id}`, "--json");
  assert.equal((await must(200, "GET", `/api/collection/${folder.id}`)).archived, true);
});

test("mb shows nothing to a key that was given nothing", async () => {
  const group = await must(200, "POST", "/api/permissions/group", { name: "Nobody's" });
  const { unmasked_key: MB_API_KEY } = await must(200, "POST", "/api/api-key", { name: "of nobody", group_id: group.id });
  const card = await must(200, "POST", "/api/card", {
    name: "Secret", display: "table", visualization_settings: {}, dataset_query: { database, type: "query", query: { "source-table": await table("people") } },
  });
  const { stdout } = await run(program, ["db", "list", "--json"], { env: { ...process.env, MB_URL: site, MB_API_KEY } });
  assert.deepEqual(JSON.parse(stdout).data, []);
  for (const [known, unknown] of [[["card", "get", `${card.id}`], ["card", "get", "999999"]], [["table", "get", `${await table("people")}`], ["table", "get", "999999"]]]) {
    const refused = await mbFails({ MB_API_KEY }, ...known);
    assert.equal(refused, await mbFails({ MB_API_KEY }, ...unknown));
    assert.doesNotMatch(refused, /Secret|people/i);
  }
});

test("an MCP server with a key explores, asks and builds dashboards", async (t) => {
  const tool = await serve(t, ["@cognitionai/metabase-mcp-server/dist/server.js", "--all"], { METABASE_URL: site, METABASE_API_KEY: key });
  const products = await count("products");
  assert.deepEqual((await tool("list_databases", {})).data.map((d) => d.id), [database]);
  assert.ok((await tool("get_database_metadata", { database_id: database })).tables.length > 3);
  const asked = await tool("execute_query", { database_id: database, query: "select count(*) as n from products" });
  assert.deepEqual(asked.data.rows, [[products]]);

  const folder = await tool("create_collection", { name: "By an agent" });
  const card = await tool("create_card", {
    name: "Products", display: "table", visualization_settings: {}, collection_id: folder.id,
    dataset_query: { database, type: "query", query: { "source-table": await table("products"), aggregation: [["count"]] } },
  });
  assert.deepEqual((await tool("execute_card", { card_id: card.id })).data.rows, [[products]]);
  assert.deepEqual(await tool("export_card_result", { card_id: card.id, export_format: "json" }), [{ Count: products }]);
  const copy = await tool("copy_card", { card_id: card.id });
  assert.notEqual(copy.id, card.id);
  await tool("update_card", { card_id: copy.id, updates: { name: "Products again" } });
  assert.equal((await must(200, "GET", `/api/card/${copy.id}`)).name, "Products again");

  const board = await tool("create_dashboard", { name: "Of an agent", collection_id: folder.id });
  await tool("add_card_to_dashboard", { dashboard_id: board.id, cardId: card.id });
  await tool("add_text_block", { dashboard_id: board.id, text: "Hello" });
  let places = await tool("get_dashboard_cards", { dashboard_id: board.id });
  assert.equal(places.length, 2);
  const place = places.find((d) => d.card_id === card.id);
  await tool("update_dashcard", { dashboard_id: board.id, dashcard_id: place.id, updates: { size_x: 20 } });
  places = (await must(200, "GET", `/api/dashboard/${board.id}`)).dashcards;
  assert.equal(places.find((d) => d.id === place.id).size_x, 20);
  assert.equal((await tool("get_dashboard_queries", { dashboard_id: board.id })).total_cards, 2);
  assert.deepEqual((await tool("get_card_dashboards", { card_id: card.id })).map((d) => d.id), [board.id]);
  await tool("remove_cards_from_dashboard", { dashboard_id: board.id, dashcard_ids: [place.id] });
  assert.equal((await must(200, "GET", `/api/dashboard/${board.id}`)).dashcards.length, 1);

  assert.equal((await tool("get_collection_items", { collection_id: folder.id })).total, 3);
  assert.equal((await tool("get_field_id", { table_id: await table("products"), column_name: "price" })).field_id, await field("products", "price"));
  assert.ok((await tool("get_table_related", { table_id: await table("orders") }))["linking-to"].some((t) => t.name === "products"));
  assert.ok((await tool("get_table_fks", { table_id: await table("products") })).length > 0);
  assert.ok((await tool("search_content", { q: "products again" })).data.some((f) => f.id === copy.id));
  await tool("delete_card", { card_id: copy.id, hard_delete: true });
  assert.equal((await ask("GET", `/api/card/${copy.id}`)).status, 404);
  await tool("delete_dashboard", { dashboard_id: board.id, hard_delete: false });
  assert.equal((await must(200, "GET", `/api/dashboard/${board.id}`)).archived, true);
});

test("an MCP server that signs in manages databases, people and groups", async (t) => {
  const tool = await serve(t, ["@easecloudio/mcp-metabase-server/dist/index.js"], {
    METABASE_URL: site, METABASE_USERNAME: process.env.METABASE_USERNAME, METABASE_PASSWORD: process.env.METABASE_PASSWORD, METABASE_API_KEY: "",
  });
  const products = await count("products");
  assert.deepEqual((await tool("execute_query", { database_id: database, query: "select count(*) as n from products" })).data.rows, [[products]]);
  const schema = await tool("get_schema_cache", { database_id: database });
  assert.ok(schema.tables.some((t) => t.name === "products" && t.fields.some((f) => f.name === "price")));

  const folder = await tool("create_collection", { name: "By another agent", color: "#31698A" });
  const card = await tool("create_card", {
    name: "Ten products", display: "table", visualization_settings: {}, collection_id: folder.id,
    dataset_query: { database, type: "query", query: { "source-table": await table("products"), limit: 10 } },
  });
  assert.equal((await tool("execute_card", { card_id: card.id })).row_count, 10);
  assert.equal((await tool("export_card_result", { card_id: card.id, format: "json" })).length, 10);
  await tool("move_to_collection", { model: "card", id: card.id, collection_id: null });
  assert.equal((await must(200, "GET", `/api/card/${card.id}`)).collection_id, null);

  const person = await tool("create_user", { first_name: "An", last_name: "Agent", email: "agent@example.com", group_ids: [1] });
  assert.equal((await must(200, "GET", `/api/user/${person.id}`)).common_name, "An Agent");
  assert.ok((await tool("list_users", {})).data.some((u) => u.id === person.id));
  const group = await tool("create_permission_group", { name: "Agents" });
  assert.ok((await tool("list_permission_groups", {})).some((g) => g.id === group.id));

  const again = await tool("create_database_connection", { name: "Again", engine: "sqlite", details: { db: process.env.WAREHOUSE } });
  await tool("update_database", { database_id: again.id, name: "Once more" });
  assert.equal((await must(200, "GET", `/api/database/${again.id}`)).name, "Once more");
  await tool("delete_database", { database_id: again.id });
  assert.equal((await ask("GET", `/api/database/${again.id}`)).status, 404);
});
