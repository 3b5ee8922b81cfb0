// Where the service is that the suites talk to, and the one story that every client tells.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const base = process.env.ZHIXING ?? "";
if (!/^http:\/\/127\.0\.0\.1:\d+$/.test(base))
  throw new Error("ZHIXING must be the address of a service to test, such as http://127.0.0.1:8080; see clients/run");

export const url = `${base}/graphql`;
export const wsUrl = url.replace("http", "ws");
export const authorization = "Bearer dev:registrar:ADMINISTRATOR";

export const documents = {
  page: /* GraphQL */ `
    query Units($first: Int!, $after: String) {
      units(first: $first, after: $after) {
        totalCount
        nodes { __typename id name }
        pageInfo { hasNextPage endCursor }
      }
    }`,
  register: /* GraphQL */ `
    mutation Register($input: RegisterUnit!) {
      registerUnit(input: $input) {
        unit { __typename id name }
        position
        errors { __typename code field message }
      }
    }`,
  rename: /* GraphQL */ `
    mutation Rename($input: RenameUnit!, $expected: Int) {
      renameUnit(input: $input, expectedVersion: $expected) {
        unit { __typename id name }
        position
        errors { __typename code field message }
      }
    }`,
  faulty: /* GraphQL */ `query Faulty { units { nodes { id nothing } } }`,
  follow: /* GraphQL */ `
    subscription Follow($after: Position, $unit: ID!) {
      changes(after: $after, where: { subjects: [$unit] }) { __typename id type position subjectId }
    }`,
};

// Tells the story through a client.
//
// `client.run(document, variables)` answers the data of a query or mutation, `client.fault(document)` the errors of a
// document that is refused, `client.follow(document, variables)` the data of each event; where a client has no
// subscriptions, that is left out.
export async function story(client) {
  const first = (await client.run("page", { first: 3 })).units;
  assert.equal(first.nodes.length, 3);
  assert.equal(first.pageInfo.hasNextPage, true);
  const second = (await client.run("page", { first: 3, after: first.pageInfo.endCursor })).units;
  assert.equal(new Set([...first.nodes, ...second.nodes].map((unit) => unit.id)).size, 6);
  assert.equal(second.totalCount, first.totalCount);

  const name = `试验单位 ${randomUUID()}`;
  const input = { name, kind: "DEPARTMENT", regionCode: "620000" };
  const { registerUnit: registered } = await client.run("register", { input });
  assert.deepEqual(registered.errors, []);
  assert.equal(registered.unit.name, name);

  const { registerUnit: refused } = await client.run("register", { input });
  assert.equal(refused.unit, null);
  const [{ __typename, code, field }] = refused.errors;
  assert.deepEqual({ __typename, code, field }, { __typename: "AlreadyExists", code: "ALREADY_EXISTS", field: "name" });

  const [fault] = await client.fault("faulty");
  assert.equal(fault.extensions.code, "GRAPHQL_VALIDATION_FAILED");
  assert.match(fault.message, /nothing/);

  if (client.follow) await resumes(client, registered);
}

// What was recorded is followed from a position; then the reader is away, and misses nothing when it comes back.
async function resumes(client, { unit, position }) {
  const rename = async (name) => {
    const input = { id: unit.id, name: `${unit.name} ${name}`, reason: "试验" };
    const { renameUnit } = await client.run("rename", { input });
    assert.deepEqual(renameUnit.errors, []);
    return renameUnit.position;
  };
  const read = async (after, types, meanwhile) => {
    const events = [];
    for await (const { changes } of client.follow("follow", { after, unit: unit.id })) {
      assert.equal(changes.subjectId, unit.id);
      events.push(changes);
      if (events.length === types.length) break;
      if (events.length === types.length - 1) await meanwhile();
    }
    assert.deepEqual(events.map((event) => event.type), types);
    return events.map((event) => event.position);
  };
  const positions = [];
  const once = await read(position - 1, ["UnitRegistered", "UnitRenamed"], async () => positions.push(await rename("甲")));
  assert.deepEqual(once, [position, ...positions]);
  const away = [await rename("乙"), await rename("丙")];
  const again = await read(once.at(-1), Array(3).fill("UnitRenamed"), async () => away.push(await rename("丁")));
  assert.deepEqual(again, away);
}

// An iterable of what a client hands to observers one by one. `subscribe` takes an observer and gives a way to stop.
export async function* iterate(subscribe) {
  const events = [];
  let wake = () => {};
  const push = (event) => {
    events.push(event);
    wake();
  };
  const stop = subscribe({
    next: (value) => push({ value }),
    error: (error) => push({ error }),
    complete: () => push({ done: true }),
  });
  try {
    for (;;) {
      while (events.length === 0) await new Promise((resolve) => (wake = resolve));
      const { value, error, done } = events.shift();
      if (error) throw error;
      if (done) return;
      yield value;
    }
  } finally {
    stop();
  }
}
