// graphql-ws: everything over one WebSocket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization, documents, story, wsUrl } from "../world.mjs";

test("the story over graphql-ws", async (context) => {
  let retries = 0;
  const on = { connecting: (isRetry) => (retries += Number(isRetry)) };
  const client = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization }, on });
  context.after(() => client.dispose());
  const follow = async function* (document, variables) {
    for await (const { data, errors } of client.iterate({ query: documents[document], variables })) {
      if (errors) throw errors;
      yield data;
    }
  };
  await story({
    run: async (document, variables) => (await follow(document, variables).next()).value,
    fault: (document) => follow(document).next().then(() => [], (errors) => errors),
    follow,
  });
  assert.equal(retries, 0);
});
