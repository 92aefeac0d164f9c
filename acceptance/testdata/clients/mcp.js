// Speaks with MCP servers, programs that give tools to agents, as agents do:
// JSON-RPC in lines over standard input and output.
"use strict";
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

// serve starts a server until the test ends, and returns a function that calls
// a tool and demands that it works.
async function serve(t, [file, ...args], env) {
  const server = spawn(process.execPath, [join(__dirname, "node_modules", file), ...args], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.after(() => server.kill());
  let said = "";
  server.stderr.on("data", (text) => (said += text));
  const waiting = new Map();
  server.on("exit", (code) => waiting.forEach(({ reject }) => reject(new Error(`the server ended with ${code}: ${said}`))));
  createInterface({ input: server.stdout }).on("line", (line) => {
    const message = JSON.parse(line);
    waiting.get(message.id)?.resolve(message);
    waiting.delete(message.id);
  });
  const send = (message) => server.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
  let last = 0;
  const call = (method, params) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      send({ id: last, method, params });
    });
  await call("initialize", { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "acceptance", version: "1" } });
  send({ method: "notifications/initialized" });

  return async function tool(name, input) {
    const { result, error } = await call("tools/call", { name, arguments: input });
    assert.ok(result && !result.isError, `${name} ${JSON.stringify(input)}: ${JSON.stringify(error ?? result)}\n${said.slice(-2000)}`);
    const text = result.content[0].text;
    try {
      return JSON.parse(text);
    } catch {
      return text; // some tools answer in words
    }
  };
}

module.exports = { serve };
