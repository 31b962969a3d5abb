/** How long a spent refresh token of the old app is still forgiven, in seconds; the other apps keep the server's default of 30. The page waits for it. */
export const legacyRetryWindow = 5;
