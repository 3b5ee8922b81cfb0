import { graphql } from "../generated/index.js";

export const units = graphql(`
  query Units($first: Int!, $after: String, $where: UnitWhere) {
    units(first: $first, after: $after, where: $where) {
      totalCount
      nodes {
        __typename
        id
        name
        kind
        regionCode
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const register = graphql(`
  mutation Register($input: RegisterUnit!) {
    registerUnit(input: $input) {
      unit {
        __typename
        id
        name
      }
      position
      errors {
        __typename
        code
        field
        message
      }
    }
  }
`);

export const indicators = graphql(`
  query Indicators($first: Int!) {
    indicators(first: $first) {
      nodes {
        name
        target {
          dueOn
          value
        }
      }
    }
  }
`);
