#!/usr/bin/env python3
"""Keeps a local copy of where every object stands, exactly right, in an SQLite file.

Only the standard library is needed (Python 3.10 or newer). The three rules by which the copy stays right:

1. The place in the log and what was learned up to it are written in one transaction. After a crash, wherever it happens, both
   are there or neither is.
2. Pages are asked for behind that place, never by time, so nothing is missed however long the copy was not looked after.
3. An event whose place is not behind the last one is passed over: one that comes twice changes nothing.

Examples:
  local_copy.py http://127.0.0.1:8080 copy.db --token dev:copy:AUDITOR --until-caught-up
  ZHIXING_TOKEN=… local_copy.py https://quality.example.cn copy.db --kinds TASK,INDICATOR --region 440000
"""
import argparse
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TABLES = """
create table if not exists place (id integer primary key check (id = 1), source text, position integer not null);
create table if not exists objects (
    subject text primary key,
    version integer not null,
    status text,
    region text,
    changed_at text not null
) without rowid;
"""
LONGEST_PAUSE = 30


class Refused(Exception):
    """No repetition helps."""


def read_page(url, token, position, arguments):
    """The next page behind a position; waits on the other side while nothing happens."""
    query = {"after": position, "limit": arguments.page}
    if not arguments.until_caught_up:
        query["wait"] = 50
    for name in ("kinds", "region"):
        if getattr(arguments, name):
            query[name] = getattr(arguments, name)
    request = urllib.request.Request(f"{url}/events?{urllib.parse.urlencode(query)}", headers={"accept": "application/json"})
    if token:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        problem = error.read(10_000).decode(errors="replace")
        if error.code in (408, 429) or error.code >= 500:
            raise ConnectionError(f"{error.code}: {problem}") from error
        raise Refused(f"{error.code}: {problem}") from error


def keep(copy, page):
    """Puts a page into the copy, whole or not at all, and says how many events were news."""
    news = 0
    with copy:  # one transaction
        position, source = copy.execute("select position, source from place").fetchone()
        for event in page["events"]:
            at = int(event["sequence"])
            if source not in (None, event["source"]):
                raise Refused(f"the events come from {event['source']}, this copy is of {source}")
            source = event["source"]
            if at <= position:
                continue  # it came twice
            copy.execute(
                """insert into objects (subject, version, status, region, changed_at) values (?, ?, ?, ?, ?)
                   on conflict (subject) do update set version = excluded.version,
                       status = coalesce(excluded.status, status), region = coalesce(excluded.region, region),
                       changed_at = excluded.changed_at""",
                (event["subject"], int(event["subjectversion"]), event.get("statusto"), event.get("regioncode"), event["time"]),
            )
            position = at
            news += 1
        # What a filter passed over was looked through as well.
        copy.execute("update place set position = ?, source = ?", (max(position, page["position"]), source))
    return news


def follow(arguments):
    """Follows the log until told to stop."""
    copy = sqlite3.connect(arguments.copy, isolation_level="IMMEDIATE")
    copy.execute("pragma journal_mode = wal")
    copy.executescript(TABLES)
    with copy:
        copy.execute("insert or ignore into place (id, position) values (1, 0)")
    token = arguments.token or os.environ.get("ZHIXING_TOKEN", "")
    taken, pause = 0, 1
    while True:
        (position,) = copy.execute("select position from place").fetchone()
        try:
            page = read_page(arguments.url.rstrip("/"), token, position, arguments)
        except (ConnectionError, TimeoutError, urllib.error.URLError) as error:
            print(f"behind {position}: {error}; again in {pause} s", file=sys.stderr)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        pause = 1
        taken += keep(copy, page)
        if sys.stderr.isatty():
            print(f"\r{page['position']} of {page['head']}", end="", file=sys.stderr)
        if page["caughtUp"] and arguments.until_caught_up:
            objects = copy.execute("select count(*) from objects").fetchone()[0]
            print(f"{taken} events taken; {objects} objects as of position {page['position']}")
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="address of the service")
    parser.add_argument("copy", help="the SQLite file; made when it is missing, gone on with when it is there")
    parser.add_argument("--token", default="", help="bearer token; or ZHIXING_TOKEN")
    parser.add_argument("--kinds", help="only objects of these kinds, such as TASK,PLAN")
    parser.add_argument("--region", help="only inside this region, such as 440000")
    parser.add_argument("--page", type=int, default=500, help="events of a page, at most 5000")
    parser.add_argument("--until-caught-up", action="store_true", help="end when there is nothing more, instead of waiting")
    try:
        follow(parser.parse_args())
    except (Refused, sqlite3.DatabaseError) as refused:
        sys.exit(f"refused: {refused}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
