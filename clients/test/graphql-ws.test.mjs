// graphql-ws: everything over one WebSocket.
import { test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization, documents, story, wsUrl } from "../world.mjs";

test("the story over graphql-ws", async (context) => {
  const client = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
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
});
