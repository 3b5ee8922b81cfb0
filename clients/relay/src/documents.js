// What a page of a Relay application declares: a list of plans, under each its tasks a page at a time, and one plan that
// is fetched again by its id. Only the compiler reads this file; `graphql` is replaced by what it generates.
import { graphql } from "relay-runtime";

graphql`
  query documentsPlansQuery($first: Int!, $after: String) {
    plans(first: $first, after: $after) @connection(key: "Plans_plans") {
      edges { node { id title ...documentsTasks_plan } }
    }
  }
`;

graphql`
  fragment documentsTasks_plan on Plan
  @refetchable(queryName: "documentsTasksPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" }) {
    tasks(first: $count, after: $cursor) @connection(key: "Tasks_tasks") {
      edges { node { id number title } }
    }
  }
`;

graphql`
  query documentsNodeQuery($id: ID!) {
    node(id: $id) { __typename id ... on Plan { title } ... on Task { title } }
  }
`;

graphql`
  query documentsUnitsQuery($first: Int!, $after: String) {
    units(first: $first, after: $after) { totalCount nodes { id name } pageInfo { hasNextPage endCursor } }
  }
`;

graphql`
  mutation documentsRegisterMutation($input: RegisterUnit!) {
    registerUnit(input: $input) { unit { id name } position errors { __typename code field message } }
  }
`;

graphql`
  mutation documentsRenameMutation($input: RenameUnit!) {
    renameUnit(input: $input) { unit { id name } position errors { __typename code field message } }
  }
`;

graphql`
  subscription documentsFollowSubscription($after: Position, $unit: ID!) {
    changes(after: $after, where: { subjects: [$unit] }) { id type position subjectId }
  }
`;
