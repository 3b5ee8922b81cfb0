// The reference consumers under examples/: whatever happens to them, their copies are exactly right in the end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { authorization, documents, url } from "../world.mjs";

const base = url.replace("/graphql", "");
const token = authorization.replace("Bearer ", "");
const auditor = "dev:copy:AUDITOR";
const work = await mkdtemp(join(tmpdir(), "zhixing-copies."));
after(() => rm(work, { recursive: true }));

const consumers = {
  python: (file, ...flags) => [process.env.PYTHON ?? "python3", "../examples/python/local_copy.py", base, file, "--page", "50", ...flags],
  typescript: (file, ...flags) => [process.execPath, process.env.LOCAL_COPY, base, file, "--save-every", "20", ...flags],
};

function start([program, ...parts]) {
  const child = spawn(program, [...parts, "--token", auditor], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal, said })));
  return { child, ended };
}

async function finish(command) {
  const { code, said } = await start(command).ended;
  assert.equal(code, 0, said);
}

async function ask(query, variables) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined);
  return data;
}

/** What the log says where everything stands: version and status of each object, and its end. */
async function truth() {
  const headers = { accept: "application/x-ndjson", authorization: `Bearer ${auditor}` };
  const answer = await fetch(`${base}/events?after=0`, { headers });
  const objects = {};
  for (const line of (await answer.text()).split("\n").filter(Boolean)) {
    const event = JSON.parse(line);
    const status = event.statusto ?? objects[event.subject]?.status;
    objects[event.subject] = { version: Number(event.subjectversion), status };
  }
  return { position: Number(answer.headers.get("zhixing-through")), objects };
}

const read = {
  async typescript(file) {
    const { position, objects } = JSON.parse(await readFile(file, "utf8"));
    const stand = ([subject, { version, status }]) => [subject, { version, status }];
    return { position, objects: Object.fromEntries(Object.entries(objects).map(stand)) };
  },
  async python(file) {
    const program = `import json, sqlite3, sys
copy = sqlite3.connect(sys.argv[1])
rows = copy.execute("select subject, version, status from objects")
objects = {subject: {"version": version, "status": status} for subject, version, status in rows}
print(json.dumps({"position": copy.execute("select position from place").fetchone()[0], "objects": objects}))`;
    const { code, said } = await startPlain([process.env.PYTHON ?? "python3", "-c", program, file]);
    assert.equal(code, 0, said);
    return JSON.parse(said);
  },
};

function startPlain([program, ...parts]) {
  const child = spawn(program, parts, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  return new Promise((resolve) => child.on("exit", (code) => resolve({ code, said })));
}

for (const language of Object.keys(consumers))
  test(`${language}: killed again and again while others write, the copy is exactly the log`, async () => {
    const file = join(work, `${language}.copy`);
    const begin = language === "typescript" ? ["--from-the-first"] : [];
    let writing = true;
    const writer = (async () => {
      const units = [];
      for (let number = 0; writing; number += 1) {
        const name = `试验单位 ${randomUUID()}`;
        const { registerUnit } = await ask(documents.register, { input: { name, kind: "DEPARTMENT", regionCode: "620000" } });
        units.push(registerUnit.unit.id);
        const id = units[Math.floor(Math.random() * units.length)];
        await ask(documents.rename, { input: { id, name: `${name} 改`, reason: "机构改革" } });
      }
    })();
    for (let round = 0; round < 5; round += 1) {
      const { child, ended } = start(consumers[language](file, ...begin));
      await pause(150 + 250 * Math.random());
      child.kill("SIGKILL");
      assert.equal((await ended).signal, "SIGKILL", (await ended).said);
    }
    writing = false;
    await writer;
    await finish(consumers[language](file, ...begin, "--until-caught-up"));
    assert.deepEqual(await read[language](file), await truth());
  });

test("typescript: a copy that begins with a snapshot is the same", async () => {
  const file = join(work, "snapshot.json");
  await finish(consumers.typescript(file, "--until-caught-up"));
  assert.deepEqual(await read.typescript(file), await truth());
});

test("what is refused is said, and not tried for ever", async () => {
  for (const [language, command] of Object.entries(consumers)) {
    const [program, ...parts] = command(join(work, `${language}.refused`));
    const child = spawn(program, [...parts, "--token", "nonsense"], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (text) => (said += text));
    const code = await new Promise((resolve) => child.on("exit", resolve));
    assert.equal(code, 1, `${language}: ${said}`);
    assert.match(said, /refused: 401/);
  }
});
