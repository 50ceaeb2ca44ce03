/**
 * What is used of Google's libraries, loaded together at the first use. They are CommonJS: a bundle in parts gives the names of such a module
 * to a static import alone, so that `import()` names this file, never the libraries themselves.
 */
export { Storage } from '@google-cloud/storage';
export { PassThroughClient } from 'google-auth-library';
