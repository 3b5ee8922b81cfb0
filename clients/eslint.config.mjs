// What linters of GraphQL schemas recommend, and what Relay asks for. Run from the top of the repository.
import graphql from "@graphql-eslint/eslint-plugin";

const recommended = graphql.configs["flat/schema-recommended"].rules;
const relay = graphql.configs["flat/schema-relay"].rules;

export default [
  {
    files: ["schema.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: `${import.meta.dirname}/../schema.graphql` } },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...recommended,
      ...relay,
      // Only what implements Node has an identity of its own, and there the interface demands the id. All else is part of
      // the object it stands in, and an id would tell caches otherwise.
      "@graphql-eslint/strict-id-in-types": "off",
      // It goes by letters, not words: `Report.reporter`, `Action.action`.
      "@graphql-eslint/no-typename-prefix": "off",
      // Relay's own specification lets lists hold anything and edges lead to anything. The events of an object and its
      // measurements are paged, and are no objects.
      "@graphql-eslint/relay-edge-types": [
        "error",
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
    },
  },
];
