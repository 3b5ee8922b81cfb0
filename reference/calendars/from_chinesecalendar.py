#!/usr/bin/env python3
"""Writes calendars/YEAR.json from the facts of the PyPI package chinesecalendar.

    pip download chinesecalendar==1.11.0 --no-deps
    PYTHONPATH=chinesecalendar-1.11.0-py2.py3-none-any.whl reference/calendars/from_chinesecalendar.py 2009 2026

A year that is there is left alone: a correction is made by hand, with a higher version and its reason in "note".
"""
import datetime
import json
import pathlib
import sys

from chinese_calendar import Holiday, constants

NAMES = {holiday.value: holiday.chinese for holiday in Holiday}
SOURCE = {
    "package": "PyPI chinesecalendar 1.11.0",
    "licence": "MIT",
    "retrievedOn": "2026-11-23",
}


def spans(days):
    """Days of one name that follow each other, as one span."""
    found = []
    for day, name in days:
        last = found[-1] if found else None
        if last and last["name"] == NAMES[name] and last["to"] + datetime.timedelta(days=1) == day:
            last["to"] = day
        else:
            found.append({"name": NAMES[name], "from": day, "to": day})
    return found


def main(first, last):
    for year in range(first, last + 1):
        path = pathlib.Path(__file__).with_name(f"{year}.json")
        if path.exists():
            continue
        rest = sorted((day, name) for day, name in constants.holidays.items() if day.year == year)
        work = sorted((day, name) for day, name in constants.workdays.items() if day.year == year)
        if not rest:
            sys.exit(f"the package knows nothing of {year}")
        calendar = {
            "year": year,
            "version": 1,
            "source": SOURCE,
            "holidays": spans(rest),
            "workingDays": [{"date": day, "name": NAMES[name]} for day, name in work],
        }
        text = json.dumps(calendar, ensure_ascii=False, indent=2, default=str)
        # One line for each entry: a difference between two versions is then a difference of days.
        for inner in ("from", "to", "date"):
            text = text.replace(f',\n      "{inner}"', f', "{inner}"')
        text = text.replace('{\n      "name"', '{ "name"').replace('{\n      "date"', '{ "date"')
        text = text.replace(',\n      "name"', ', "name"').replace("\n    }", " }")
        path.write_text(text + "\n", encoding="utf-8")


main(int(sys.argv[1]), int(sys.argv[2]))
