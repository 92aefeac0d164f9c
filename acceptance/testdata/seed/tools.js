// What the drivers of the article's program have in common: requests, sign-in and
// counts of rows. METABASE_SITE_URL and METABASE_API_KEY (an administrator's)
// say where; METABASE_DATABASE_ID is the warehouse, 1 (the sample) if not set.
"use strict";
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const vm = require("node:vm");

globalThis.require = require; // the program asks for "crypto"
for (const file of ["provisioning.js", "helpers.js"]) {
  vm.runInThisContext(readFileSync(join(__dirname, file), "utf8"), { filename: file });
}

const site = process.env.METABASE_SITE_URL;
const admin = { "x-api-key": process.env.METABASE_API_KEY };
const databaseId = Number(process.env.METABASE_DATABASE_ID ?? 1);

// call makes one request and reads the answer as JSON, or as text when it is none.
async function call(who, method, path, body) {
  const headers = { ...who };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const res = await fetch(site + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await res.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: res.status, text, json, headers: res.headers };
}

// must is call that demands the status.
async function must(status, who, method, path, body) {
  const answer = await call(who, method, path, body);
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  return answer.json;
}

const trySignIn = (username, password) => call({}, "POST", "/api/session", { username, password });

// signIn gives the person a password that we know and signs in with it.
async function signIn(user) {
  const password = "a long enough passphrase " + user.id;
  const set = await call(admin, "PUT", `/api/user/${user.id}/password`, { password });
  assert.ok(set.status >= 200 && set.status < 300, set.text);
  const session = await trySignIn(user.email, password);
  assert.equal(session.status, 200, session.text);
  return { who: { "X-Metabase-Session": session.json.id }, password };
}

let tables;
async function tableId(name) {
  tables ??= (await must(200, admin, "GET", `/api/database/${databaseId}/metadata`)).tables;
  const table = tables.find((t) => t.name === name);
  assert.ok(table, `no table ${name}`);
  return table.id;
}

// count asks how many rows of a table there are.
const count = async (who, table) =>
  call(who, "POST", "/api/dataset", {
    database: databaseId,
    type: "query",
    query: { "source-table": await tableId(table), aggregation: [["count"]] },
  });

async function assertRows(who, table, note) {
  const answer = await count(who, table);
  assert.ok([200, 202].includes(answer.status) && answer.json.status === "completed", `${note}: ${answer.status} ${answer.text}`);
  assert.ok(answer.json.data.rows[0][0] > 0, `${note}: ${answer.text}`);
  return answer.json.data.rows[0][0];
}

// assertRefused demands that no row comes and that nothing is learnt.
async function assertRefused(who, table, note) {
  const answer = await count(who, table);
  assert.ok(answer.status === 403 || answer.json?.status === "failed", `${note}: ${answer.status} ${answer.text}`);
  assert.deepEqual(answer.json?.data?.rows ?? [], [], `${note}: rows in a refusal`);
  assert.doesNotMatch(answer.json?.error ?? answer.text, new RegExp(`${table}|sandbox|blocked|group`, "i"), `${note}: the refusal tells too much`);
}

module.exports = { site, admin, databaseId, call, must, trySignIn, signIn, tableId, count, assertRows, assertRefused };
