export const url: string;
export const authorization: string;
export const documents: Record<string, string>;
export function story(client: {
  run(document: string, variables: Record<string, unknown>): Promise<unknown>;
  fault(document: string): Promise<unknown>;
}): Promise<void>;
