/** What an experiment found. `headline` is the number or word that counts; `means` says of what; `says` is the rest of the story. */
export type Outcome = { headline: string; means: string; says: string[] };

/** Tells the reader what goes on while an experiment runs. */
export type Say = (text: string) => void;
