// Relay: its compiler takes the schema as it is, its store pages through connections and fetches objects again by `node`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";
import { authorization, documents, iterate, story, url, wsUrl } from "../world.mjs";

const { Environment, Network, Observable, RecordSource, Store, commitMutation, createOperationDescriptor } = relay;
const { fetchQuery, getRequest, getSingularSelector, requestSubscription } = relay;
const artifact = async (name) => (await import(`./generated/documents${name}.graphql.js`)).default;
const compiled = {
  page: await artifact("UnitsQuery"),
  register: await artifact("RegisterMutation"),
  rename: await artifact("RenameMutation"),
  follow: await artifact("FollowSubscription"),
};

function environment(context) {
  const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
  context.after(() => socket.dispose());
  const ask = async ({ text }, variables) => {
    const headers = { "content-type": "application/json", authorization };
    return (await fetch(url, { method: "POST", headers, body: JSON.stringify({ query: text, variables }) })).json();
  };
  const follow = ({ text, name }, variables) =>
    Observable.create((sink) => socket.subscribe({ query: text, operationName: name, variables }, sink));
  return new Environment({ network: Network.create(ask, follow), store: new Store(new RecordSource()) });
}

test("the story over Relay", async (context) => {
  const relay = environment(context);
  const mutate = (mutation, variables) =>
    new Promise((onCompleted, onError) =>
      commitMutation(relay, { mutation, variables, onCompleted, onError }));
  const fetched = (query, variables) => fetchQuery(relay, query, variables, { fetchPolicy: "network-only" }).toPromise();
  await story({
    run: (document, variables) => (document === "page" ? fetched : mutate)(compiled[document], variables),
    // Its compiler lets no faulty document through; one of another version of the schema comes to the server like this.
    fault: async () => {
      const request = structuredClone(compiled.page);
      request.params.text = documents.faulty;
      const error = await fetched(request, { first: 1 }).then(() => assert.fail("not refused"), (error) => error);
      return error.source.errors;
    },
    follow: (document, variables) =>
      iterate((observer) => {
        const { next: onNext, error: onError, complete: onCompleted } = observer;
        const subscription = compiled[document];
        return requestSubscription(relay, { subscription, variables, onNext, onError, onCompleted }).dispose;
      }),
  });
});

test("a page is added to its connection, and a plan is found again by its id", async (context) => {
  const relay = environment(context);
  const fetched = async (query, variables) => {
    relay.retain(createOperationDescriptor(getRequest(query), variables));
    return fetchQuery(relay, query, variables, { fetchPolicy: "network-only" }).toPromise();
  };
  const plans = await artifact("PlansQuery");
  const [{ node: plan }] = (await fetched(plans, { first: 1 })).plans.edges;
  const fragment = await artifact("Tasks_plan");
  const read = () => relay.lookup(getSingularSelector(fragment, plan)).data.tasks;
  const first = read();
  assert.equal(first.edges.length, 2);
  assert.equal(first.pageInfo.hasNextPage, true);

  const cursor = first.pageInfo.endCursor;
  await fetched(await artifact("TasksPaginationQuery"), { id: plan.id, count: 3, cursor });
  const both = read();
  assert.equal(both.edges.length, 5);
  assert.equal(new Set(both.edges.map(({ node }) => node.id)).size, 5);
  assert.notEqual(both.pageInfo.endCursor, cursor);

  const node = await artifact("NodeQuery");
  assert.deepEqual((await fetched(node, { id: plan.id })).node, { __typename: "Plan", id: plan.id, title: plan.title });
  const [{ node: task }] = both.edges;
  assert.deepEqual((await fetched(node, { id: task.id })).node, { __typename: "Task", id: task.id, title: task.title });
});
