// graphql-transport-ws by the letter of its PROTOCOL.md, with nothing between the messages and us.
// The 4408 of a client that is silent, limits and slow readers have tests beside the server's code, which can set clocks.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { get } from "node:http";
import { afterEach, test } from "node:test";
import WebSocket from "ws";
import { authorization, documents, url, wsUrl } from "../world.mjs";

let open = [];
afterEach(() => {
  for (const socket of open) socket.terminate();
  open = [];
});

class Socket {
  messages = [];
  wake = () => {};

  constructor(protocols = "graphql-transport-ws") {
    this.socket = new WebSocket(wsUrl, protocols);
    open.push(this.socket);
    this.socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      this.messages.push(JSON.parse(data));
      this.wake();
    });
    this.closed = once(this.socket, "close").then(([code, reason]) => [code, String(reason)]);
  }

  static async open(init = { payload: { authorization } }) {
    const socket = new Socket();
    await once(socket.socket, "open");
    if (init) {
      socket.send({ type: "connection_init", ...init });
      assert.deepEqual(await socket.next(), { type: "connection_ack" });
    }
    return socket;
  }

  send(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  subscribe(id, query, rest = {}) {
    this.send({ id, type: "subscribe", payload: { query, ...rest } });
  }

  async next() {
    while (this.messages.length === 0) await new Promise((resolve) => (this.wake = resolve));
    return this.messages.shift();
  }

  // Everything said before the answer to a ping: what comes is in order, so nothing else was on its way.
  async said() {
    this.send({ type: "ping" });
    const said = [];
    for (let message; (message = await this.next()).type !== "pong"; ) said.push(message);
    return said;
  }

  async end() {
    this.socket.close(1000, "Normal Closure");
    assert.deepEqual(await this.closed, [1000, "Normal Closure"]);
  }
}

const closes = (name, [code, reason], talk, init) =>
  test(`${code} ${name}`, async () => {
    const socket = await Socket.open(init);
    await talk(socket);
    const [actualCode, actualReason] = await socket.closed;
    assert.equal(actualCode, code);
    if (reason instanceof RegExp) assert.match(actualReason, reason);
    else assert.equal(actualReason, reason);
  });

const NEVER = "subscription { changes { position } }";

test("the subprotocol is the one that was agreed upon", async () => {
  const socket = new Socket(["graphql-ws", "graphql-transport-ws"]);
  await once(socket.socket, "open");
  assert.equal(socket.socket.protocol, "graphql-transport-ws");
  await socket.end();
});

for (const protocols of [[], ["graphql-ws"], ["mqtt", "graphql-ws"]])
  test(`subprotocol [${protocols}]: the handshake is refused and says why, which a close code 4406 could not`, async () => {
    const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    headers["sec-websocket-key"] = randomBytes(16).toString("base64");
    if (protocols.length > 0) headers["sec-websocket-protocol"] = protocols.join(", ");
    const [response] = await once(get(url, { agent: false, headers }), "response");
    assert.equal(response.statusCode, 400);
    const chunks = await response.toArray();
    assert.match(JSON.parse(Buffer.concat(chunks)).errors[0].message, /graphql-transport-ws/);
  });

for (const [name, init] of [
  ["without a payload", {}],
  ["with the payload null", { payload: null }],
  ["with an empty payload", { payload: {} }],
  ["with what other servers are told", { payload: { connectionParams: { lang: "zh" }, lang: "zh" } }],
])
  test(`connection_init ${name} is acknowledged`, async () => {
    const socket = await Socket.open(init);
    assert.deepEqual(await socket.said(), []);
    await socket.end();
  });

test("ping is answered and pong is heard, before the connection and after it", async () => {
  const socket = await Socket.open(null);
  for (const payload of [undefined, null, {}, { at: 1 }]) {
    socket.send({ type: "pong", payload });
    socket.send({ type: "ping", payload });
    assert.equal((await socket.next()).type, "pong");
  }
  socket.send({ type: "connection_init" });
  assert.equal((await socket.next()).type, "connection_ack");
  assert.deepEqual(await socket.said(), []);
  await socket.end();
});

test("an operation answers next and complete, and its id is free again", async () => {
  const socket = await Socket.open();
  for (const rest of [
    {},
    { operationName: null, variables: null, extensions: null },
    { operationName: "B", variables: {}, extensions: { trace: "x" } },
  ]) {
    socket.subscribe("编号 1", "query B { __typename }", rest);
    const next = await socket.next();
    assert.deepEqual([next.id, next.type, next.payload.data], ["编号 1", "next", { __typename: "Query" }]);
    assert.deepEqual(await socket.next(), { id: "编号 1", type: "complete" });
  }
  await socket.end();
});

test("many operations at once each get their own answer", async () => {
  const socket = await Socket.open();
  const ids = Array.from({ length: 50 }, (_, number) => `op-${number}`);
  ids.forEach((id, number) => socket.subscribe(id, documents.page, { variables: { first: (number % 5) + 1 } }));
  const running = new Set(ids);
  while (running.size > 0) {
    const message = await socket.next();
    if (message.type === "complete") assert.ok(running.delete(message.id));
    else assert.equal(message.payload.data.units.nodes.length, (Number(message.id.slice(3)) % 5) + 1);
  }
  await socket.end();
});

for (const [code, payload] of [
  ["GRAPHQL_PARSE_FAILED", { query: "{ units" }],
  ["GRAPHQL_VALIDATION_FAILED", { query: "{ nothing }" }],
  ["GRAPHQL_VALIDATION_FAILED", { query: "query A { __typename } query B { __typename }" }],
  ["INVALID_INPUT", { query: documents.page, variables: { first: "three" } }],
])
  test(`a request that cannot be run is an error and no complete follows: ${code} ${JSON.stringify(payload).slice(0, 40)}`, async () => {
    const socket = await Socket.open();
    socket.send({ id: "a", type: "subscribe", payload });
    const message = await socket.next();
    assert.deepEqual([message.id, message.type], ["a", "error"]);
    assert.equal(message.payload[0].extensions.code, code);
    assert.equal(typeof message.payload[0].message, "string");
    assert.deepEqual(await socket.said(), []);
    await socket.end();
  });

test("after complete from the client nothing more is heard of a subscription", async () => {
  const socket = await Socket.open();
  socket.subscribe("a", "subscription { changes(after: 0) { position } }");
  assert.equal((await socket.next()).payload.data.changes.position, 1);
  socket.send({ id: "a", type: "complete" });
  await socket.said();
  socket.subscribe("b", "{ __typename }");
  assert.equal((await socket.next()).id, "b");
  assert.deepEqual(await socket.next(), { id: "b", type: "complete" });
  socket.send({ id: "a", type: "complete" });
  assert.deepEqual(await socket.said(), []);
  await socket.end();
});

test("a message may come in fragments", async () => {
  const socket = await Socket.open();
  const text = JSON.stringify({ id: "a", type: "subscribe", payload: { query: "{ __typename }" } });
  socket.socket.send(text.slice(0, 20), { fin: false });
  socket.socket.send(text.slice(20), { fin: true });
  assert.equal((await socket.next()).type, "next");
  await socket.end();
});

test("answers in a row do not wait for each other's acknowledgement", async () => {
  const socket = await Socket.open();
  const times = [];
  for (let number = 0; number < 21; number += 1) {
    const begun = performance.now();
    socket.subscribe("a", "{ __typename }");
    await socket.next();
    await socket.next();
    times.push(performance.now() - begun);
  }
  const median = times.sort((a, b) => a - b)[10];
  // A small write that waits for the acknowledgement of the one before it takes 40 ms on Linux.
  assert.ok(median < 30, `${median} ms`);
  await socket.end();
});

closes("an operation before the connection", [4401, "Unauthorized"], (socket) => socket.subscribe("a", "{ __typename }"), null);
closes(
  "a token that is refused",
  [4403, "Forbidden"],
  (socket) => socket.send({ type: "connection_init", payload: { authorization: "Bearer nonsense" } }),
  null,
);
closes("an id that is in use", [4409, "Subscriber for a already exists"], (socket) => {
  socket.subscribe("a", NEVER);
  socket.subscribe("a", "{ __typename }");
});
closes("two connection_init at once", [4429, "Too many initialisation requests"], (socket) => {
  socket.send({ type: "connection_init" });
  socket.send({ type: "connection_init" });
}, null);
closes("a later connection_init", [4429, "Too many initialisation requests"], (socket) => socket.send({ type: "connection_init" }));
for (const [name, message] of [
  ["a message of the server", { type: "connection_ack" }],
  ["a message of the legacy protocol", { type: "stop", id: "a" }],
  ["a type that is no text", { type: 1 }],
  ["no type", { id: "a" }],
  ["null", "null"],
  ["an empty message", ""],
  ["variables that are no object", { type: "subscribe", id: "a", payload: { query: "{ __typename }", variables: [] } }],
  ["an operation name that is no text", { type: "subscribe", id: "a", payload: { query: "{ __typename }", operationName: 1 } }],
  ["a payload of connection_init that is no object", { type: "connection_init", payload: "token" }],
])
  closes(name, [4400, /^Invalid message/], (socket) => socket.send(message));
