"""gql for Python: the story over aiohttp (HTTP, subscriptions over its WebSocket) and over websockets."""

import os
import re
import unittest
import uuid

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

BASE = os.environ["ZHIXING"]
HTTP = f"{BASE}/graphql"
WS = re.sub("^http", "ws", HTTP)
AUTHORIZATION = {"authorization": "Bearer dev:registrar:ADMINISTRATOR"}

PAGE = """
query Units($first: Int!, $after: String) {
  units(first: $first, after: $after) { totalCount nodes { id name } pageInfo { hasNextPage endCursor } }
}
"""
REGISTER = """
mutation Register($input: RegisterUnit!) {
  registerUnit(input: $input) { unit { id name } position errors { __typename code field message } }
}
"""
RENAME = """
mutation Rename($input: RenameUnit!) {
  renameUnit(input: $input) { position errors { __typename code field message } }
}
"""
FAULTY = "query Faulty { units { nodes { id nothing } } }"
FOLLOW = """
subscription Follow($after: Position, $unit: ID!) {
  changes(after: $after, where: { subjects: [$unit] }) { type position subjectId }
}
"""


def aiohttp():
    return AIOHTTPTransport(url=HTTP, headers=AUTHORIZATION)


def aiohttp_websockets():
    return AIOHTTPWebsocketsTransport(url=WS, init_payload=AUTHORIZATION)


def websockets():
    # gql 4.4.0 looks for the chosen subprotocol in a header of exactly this case, `Sec-WebSocket-Protocol`, and falls back
    # to the protocol of 2018 when a server writes its headers in lower case, as HTTP lets it. So it is told the one to use.
    protocol = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    return WebsocketsTransport(url=WS, init_payload=AUTHORIZATION, subprotocols=protocol)


def request(document, **variables):
    document = gql(document)
    document.variable_values = variables
    return document


class Story(unittest.IsolatedAsyncioTestCase):
    async def test_over_aiohttp_and_its_websockets(self):
        async with Client(transport=aiohttp()) as http, Client(transport=aiohttp_websockets()) as events:
            await self.tell(http, events)

    async def test_over_websockets(self):
        async with Client(transport=websockets()) as session:
            await self.tell(session, session)

    async def test_the_schema_is_fetched_and_documents_are_checked_by_it(self):
        async with Client(transport=aiohttp(), fetch_schema_from_transport=True) as session:
            self.assertIn("Unit", session.client.schema.type_map)
            page = await session.execute(request(PAGE, first=1))
            self.assertEqual(len(page["units"]["nodes"]), 1)

    async def tell(self, session, events):
        first = (await session.execute(request(PAGE, first=3)))["units"]
        self.assertEqual(len(first["nodes"]), 3)
        after = first["pageInfo"]["endCursor"]
        second = (await session.execute(request(PAGE, first=3, after=after)))["units"]
        self.assertEqual(len({unit["id"] for unit in first["nodes"] + second["nodes"]}), 6)

        unit = {"name": f"试验单位 {uuid.uuid4()}", "kind": "DEPARTMENT", "regionCode": "620000"}
        registered = (await session.execute(request(REGISTER, input=unit)))["registerUnit"]
        self.assertEqual(registered["errors"], [])
        refused = (await session.execute(request(REGISTER, input=unit)))["registerUnit"]
        self.assertIsNone(refused["unit"])
        self.assertEqual([(error["code"], error["field"]) for error in refused["errors"]], [("ALREADY_EXISTS", "name")])

        errors = []
        try:
            # Not with assertRaises, which clears the frames of the exception: one of them reads the socket.
            await session.execute(gql(FAULTY))
        except TransportQueryError as fault:
            errors = fault.errors
        self.assertEqual([error["extensions"]["code"] for error in errors], ["GRAPHQL_VALIDATION_FAILED"])

        await self.resumes(session, events, registered["unit"], registered["position"])

    async def resumes(self, session, events, unit, position):
        """What was recorded is followed from a position; who was away misses nothing."""

        async def rename(name):
            change = {"id": unit["id"], "name": f"{unit['name']} {name}", "reason": "试验"}
            renamed = (await session.execute(request(RENAME, input=change)))["renameUnit"]
            self.assertEqual(renamed["errors"], [])
            return renamed["position"]

        async def read(after, count, meanwhile):
            seen, done = [], []
            stream = events.subscribe(request(FOLLOW, after=after, unit=unit["id"]))
            async for answer in stream:
                seen.append(answer["changes"]["position"])
                if len(seen) == count:
                    break
                if len(seen) == count - 1:
                    done.append(await rename(meanwhile))
            await stream.aclose()
            return seen, done

        seen, live = await read(position - 1, 2, "甲")
        self.assertEqual(seen, [position, *live])
        away = [await rename("乙"), await rename("丙")]
        again, live = await read(seen[-1], 3, "丁")
        self.assertEqual(again, away + live)


if __name__ == "__main__":
    unittest.main()
