export { BertNativeError, type ErrorCode } from './errors.ts';
