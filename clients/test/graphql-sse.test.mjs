// graphql-sse: everything over server-sent events, each operation in a request of its own.
import { test } from "node:test";
import { createClient } from "graphql-sse";
import { authorization, documents, story, url } from "../world.mjs";

test("the story over graphql-sse", async (context) => {
  const client = createClient({ url, headers: { authorization } });
  context.after(() => client.dispose());
  const results = (document, variables) => client.iterate({ query: documents[document], variables });
  await story({
    run: async (document, variables) => (await results(document, variables).next()).value.data,
    fault: async (document) => (await results(document).next()).value.errors,
    follow: async function* (document, variables) {
      for await (const { data } of results(document, variables)) yield data;
    },
  });
});
