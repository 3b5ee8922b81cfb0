// GraphQL over SSE by the letter of its PROTOCOL.md, distinct connections mode, and by the browser's own interface.
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

test("single connection mode is not offered: a reservation is refused as a method, and graphql-sse reports it", async () => {
  const reservation = await fetch(url, { method: "PUT", headers: { authorization } });
  assert.equal(reservation.status, 405);
  assert.equal(reservation.headers.get("allow"), "GET, POST, OPTIONS");
  assert.equal((await reservation.json()).errors[0].extensions.code, "METHOD_NOT_ALLOWED");
  const client = createClient({ url, singleConnection: true, headers: { authorization }, retryAttempts: 0 });
  await assert.rejects(client.iterate({ query: "{ __typename }" }).next(), /405/);
  client.dispose();
});
