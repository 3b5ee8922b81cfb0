// Keeps a local copy of where every object stands, exactly right, in a JSON file.
//
// Needs nothing but Node.js 20 or newer: server-sent events are read from `fetch`. The three rules by which it stays right:
//
// 1. The copy and its place in the log are one file that is replaced at once (written beside it, made safe, renamed). After a
//    crash, wherever it happens, both are of the same moment.
// 2. It goes on behind that place (`Last-Event-ID`), so nothing is missed however long the line was broken.
// 3. An event whose place is not behind the last one is passed over: one that comes twice changes nothing.
//
// A copy that is not there yet begins with a snapshot; with --from-the-first it is told from the first event on.
//
//   node local-copy.js http://127.0.0.1:8080 copy.json --token dev:copy:AUDITOR --until-caught-up
import { open, readFile, rename } from "node:fs/promises";
import { parseArgs } from "node:util";

/** Where an object stands. */
interface Standing {
  version: number;
  status?: string;
  region?: string;
  changedAt: string;
}

/** The copy: everything up to a position. */
interface Copy {
  source?: string;
  position: number;
  objects: Record<string, Standing>;
}

/** An event as it leaves the service; see /schemas/envelope.json. */
interface CloudEvent {
  source: string;
  subject: string;
  sequence: string;
  subjectversion: string;
  time: string;
  statusto?: string;
  regioncode?: string;
}

/** A part of a snapshot. */
interface Snapshot {
  position: number;
  remaining: number;
  objects: { subject: string; subjectversion: number; status: string; regioncode?: string; time: string }[];
}

/** One message of an event stream. */
interface Message {
  id: string;
  event: string;
  data: string;
}

/** No repetition helps. */
class Refused extends Error {}

const LONGEST_PAUSE_MS = 30_000;
const MOST_CHARACTERS = 10_000_000;
/** How long nothing may come: heartbeats come every fifteen seconds. */
const SILENCE_MS = 60_000;

async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MOST_CHARACTERS) throw new Error("a message is too long");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const message: Message = { id: "", event: "message", data: "" };
      for (const line of text.slice(0, end).split("\n")) {
        const [, name, value] = /^(id|event|data): ?(.*)$/.exec(line) ?? [];
        if (name === "id" || name === "event" || name === "data") message[name] = value ?? "";
      }
      text = text.slice(end + 2);
      yield message;
    }
  }
}

async function load(file: string): Promise<Copy | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Refused(`${file} cannot be read: ${String(error)}`);
  }
  try {
    return JSON.parse(text) as Copy;
  } catch {
    throw new Refused(`${file} is no copy`);
  }
}

/** Replaces the file at once. */
async function save(file: string, copy: Copy): Promise<void> {
  const beside = await open(`${file}.new`, "w");
  try {
    await beside.writeFile(JSON.stringify(copy));
    await beside.sync();
  } finally {
    await beside.close();
  }
  await rename(`${file}.new`, file);
}

function keep(copy: Copy, event: CloudEvent): boolean {
  if (copy.source !== undefined && copy.source !== event.source)
    throw new Refused(`the events come from ${event.source}, this copy is of ${copy.source}`);
  copy.source = event.source;
  const position = Number(event.sequence);
  if (position <= copy.position) return false; // it came twice
  const known = copy.objects[event.subject];
  const status = event.statusto ?? known?.status;
  const region = event.regioncode ?? known?.region;
  copy.objects[event.subject] = {
    version: Number(event.subjectversion),
    ...(status !== undefined && { status }),
    ...(region !== undefined && { region }),
    changedAt: event.time,
  };
  copy.position = position;
  return true;
}

interface Settings {
  url: string;
  file: string;
  token: string | undefined;
  fromTheFirst: boolean;
  untilCaughtUp: boolean;
  saveEvery: number;
}

/** Follows for as long as the line holds; whether it is done. */
async function follow(settings: Settings): Promise<boolean> {
  const known = await load(settings.file);
  const copy: Copy = known ?? { position: 0, objects: {} };
  const begins = known ?? settings.fromTheFirst;
  const query = begins ? `after=${copy.position}` : "snapshot=true";
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (settings.token) headers["authorization"] = `Bearer ${settings.token}`;
  const line = new AbortController();
  let silence = setTimeout(() => line.abort(), SILENCE_MS);
  try {
    const answer = await fetch(`${settings.url}/events?${query}`, { headers, signal: line.signal });
    if (!answer.ok || !answer.body) {
      const problem = `${answer.status}: ${(await answer.text()).slice(0, 10_000)}`;
      if (answer.status >= 500 || answer.status === 408 || answer.status === 429) throw new Error(problem);
      throw new Refused(problem);
    }
    let unsaved = 0;
    for await (const message of messages(answer.body)) {
      clearTimeout(silence);
      silence = setTimeout(() => line.abort(), SILENCE_MS);
      if (message.event === "message") {
        if (keep(copy, JSON.parse(message.data) as CloudEvent)) unsaved += 1;
        if (unsaved >= settings.saveEvery) {
          await save(settings.file, copy);
          unsaved = 0;
        }
      } else if (message.event === "snapshot") {
        const snapshot = JSON.parse(message.data) as Snapshot;
        for (const { subject, subjectversion, status, regioncode, time } of snapshot.objects)
          copy.objects[subject] = {
            version: subjectversion,
            status,
            ...(regioncode !== undefined && { region: regioncode }),
            changedAt: time,
          };
        // Not saved before it is whole: caught-up says so.
        copy.position = snapshot.position;
      } else if (message.event === "caught-up" || message.event === "heartbeat") {
        // What was passed over was looked through as well.
        copy.position = Math.max(copy.position, Number(message.id));
        await save(settings.file, copy);
        unsaved = 0;
        if (message.event === "caught-up" && settings.untilCaughtUp) {
          console.log(`${Object.keys(copy.objects).length} objects as of position ${copy.position}`);
          return true;
        }
      } else if (message.event === "end") {
        throw new Error(`the stream ended: ${message.data}`);
      }
    }
    return false;
  } finally {
    clearTimeout(silence);
    line.abort();
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      token: { type: "string" },
      "from-the-first": { type: "boolean", default: false },
      "until-caught-up": { type: "boolean", default: false },
      "save-every": { type: "string", default: "1000" },
    },
  });
  const [url, file] = positionals;
  if (!url || !file) {
    console.error("usage: node local-copy.js URL FILE [--token TOKEN] [--from-the-first] [--until-caught-up] [--save-every EVENTS]");
    process.exitCode = 2;
    return;
  }
  const settings: Settings = {
    url: url.replace(/\/$/, ""),
    file,
    token: values.token ?? process.env["ZHIXING_TOKEN"],
    fromTheFirst: values["from-the-first"],
    untilCaughtUp: values["until-caught-up"],
    saveEvery: Math.max(1, Number(values["save-every"]) || 1),
  };
  for (let pause = 1_000; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      if (await follow(settings)) return;
      pause = 500; // the line had held
    } catch (error) {
      if (error instanceof Refused) {
        console.error(`refused: ${error.message}`);
        process.exitCode = 1;
        return;
      }
      console.error(`${String(error)}; again in ${pause / 1_000} s`);
    }
    await new Promise((resume) => setTimeout(resume, pause));
  }
}

await main();
