/**
 * What speaks to proxies, loaded at the first use. It is CommonJS: a bundle in parts gives the names of such a module to a static import alone, so
 * that `import()` names this file, never the package itself.
 */
export { EnvHttpProxyAgent, fetch } from 'undici';
