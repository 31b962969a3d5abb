export type { Config } from './config/config.ts';
export { readConfig } from './config/read-config.ts';
export { ConfigError, type ConfigFile, defineConfig, parseConfig } from './config/schema.ts';
export { createServer, type ServerOptions, type TesseraServer } from './server.ts';
