export { createEdge, type Edge, type EdgeStatus } from './create-edge.ts';
export { EdgeRequestError, type EdgeRequestErrorCode, type Fetch } from './fetch-json.ts';
export type { EdgeNotice } from './notice.ts';
export type { EdgeOptions, RefusalCounts } from './options.ts';
export type { RequestFacts } from './request-facts.ts';
export { type ProtectedResourceMetadata, resourceMetadataUrl } from './resource-metadata.ts';
export type { FeedNotice, FeedStatus } from './revocation-feed.ts';
export type { Knowledge, StalePolicy } from './stale-policy.ts';
export type {
  HeaderField,
  Refusal,
  RefusedToken,
  Requirement,
  Verification,
  VerifiedAccessToken,
} from './verification.ts';
