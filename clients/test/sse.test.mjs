// GraphQL over SSE by the letter of its PROTOCOL.md, in both its modes, and by the browser's own interface.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { createClient } from "graphql-sse";
import { authorization, documents, url } from "../world.mjs";

const post = (body, headers = {}) =>
  fetch(url, {
    method: "POST",
    headers: { accept: "text/event-stream", "content-type": "application/json", authorization, ...headers },
    body: JSON.stringify(body),
  });

async function events(response) {
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/event-stream; charset=utf-8$/);
  const blocks = (await response.text()).split("\n\n").filter((block) => block && !block.startsWith(":"));
  return blocks.map((block) => {
    const [event, data, ...rest] = block.split("\n");
    assert.deepEqual(rest, []);
    const [name, text] = [event.replace(/^event: /, ""), data.replace(/^data: ?/, "")];
    return [name, text && JSON.parse(text)];
  });
}

const SHORT = [
  ["a query", documents.page, { first: 1 }, ({ units }) => assert.equal(units.nodes.length, 1)],
  [
    "a mutation",
    documents.register,
    { input: { name: "", kind: "DEPARTMENT", regionCode: "620000" } },
    ({ registerUnit }) => assert.equal(registerUnit.errors[0].field, "name"),
  ],
];
for (const [name, query, variables, check] of SHORT)
  test(`${name} is one next event, then complete`, async () => {
    const [[next, { data }], ...rest] = await events(await post({ query, variables }));
    assert.equal(next, "next");
    check(data);
    assert.deepEqual(rest, [["complete", ""]]);
  });

for (const [code, body] of [
  ["GRAPHQL_PARSE_FAILED", { query: "subscription {" }],
  ["GRAPHQL_VALIDATION_FAILED", { query: "subscription { nothing }" }],
  ["INVALID_INPUT", { query: documents.follow, variables: { unit: "x" } }],
])
  test(`what validation refuses is an event too: ${code}`, async () => {
    const [[next, { data, errors }], ...rest] = await events(await post(body));
    assert.deepEqual([next, data, errors[0].extensions.code], ["next", undefined, code]);
    assert.deepEqual(rest, [["complete", ""]]);
  });

test("a token that is refused is refused by status, before any stream", async () => {
  const response = await post({ query: documents.page, variables: { first: 1 } }, { authorization: "Bearer nonsense" });
  assert.equal(response.status, 401);
  assert.equal((await response.json()).errors[0].extensions.code, "UNAUTHENTICATED");
});

test("the browser's EventSource follows a subscription by GET", async (context) => {
  const query = new URLSearchParams({ query: "subscription { changes(after: 3) { position } }" });
  const source = new EventSource(`${url}?${query}`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
  });
  context.after(() => source.close());
  const positions = [];
  await new Promise((resolve) => {
    source.addEventListener("next", ({ data }) => {
      if (positions.push(JSON.parse(data).data.changes.position) === 3) resolve();
    });
  });
  assert.deepEqual(positions.slice(0, 3), [4, 5, 6]);
});

test("the browser's EventSource hears the end", async (context) => {
  const query = new URLSearchParams({ query: "{ __typename }" });
  const source = new EventSource(`${url}?${query}`);
  context.after(() => source.close());
  await once(source, "complete");
});

test("in single connection mode one stream carries the answers of several operations", async () => {
  const client = createClient({ url, singleConnection: true, headers: { authorization }, retryAttempts: 0 });
  const one = client.iterate({ query: documents.page, variables: { first: 1 } });
  const { value } = await one.next();
  assert.equal(value.data.units.nodes.length, 1);
  assert.equal((await one.next()).done, true);
  const changes = client.iterate({ query: "subscription { changes(after: 0) { position } }" });
  const again = client.iterate({ query: documents.page, variables: { first: 1 } });
  assert.equal((await again.next()).value.data.units.nodes.length, 1);
  for (const position of [1, 2, 3]) assert.equal((await changes.next()).value.data.changes.position, position);
  await changes.return();
  const wrong = client.iterate({ query: "{ nothing }" }).next();
  await assert.rejects(wrong, /400|Bad Request/);
  client.dispose();
});

test("a reservation is for one stream, and its token for nobody else", async () => {
  const reserve = () => fetch(url, { method: "PUT", headers: { authorization } });
  const reservation = await reserve();
  assert.equal(reservation.status, 201);
  const token = await reservation.text();
  const header = { "x-graphql-event-stream-token": token };
  const gone = new AbortController();
  const open = () => fetch(`${url}?token=${token}`, { headers: { accept: "text/event-stream" }, signal: gone.signal });
  const stream = await open();
  assert.match(stream.headers.get("content-type"), /^text\/event-stream/);
  assert.equal((await open()).status, 409);
  const run = (headers, body) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ query: "{ __typename }", ...body }),
    });
  assert.equal((await run({ authorization, ...header }, { extensions: { operationId: "a" } })).status, 202);
  assert.equal((await run({ authorization, ...header }, {})).status, 400);
  assert.equal((await run(header, { extensions: { operationId: "b" } })).status, 404, "somebody else");
  const stop = await fetch(`${url}?operationId=a`, { method: "DELETE", headers: { authorization, ...header } });
  assert.equal(stop.status, 200);
  gone.abort();
});
