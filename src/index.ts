export { ZrankError, errorCodes, type ErrorCode, type ZrankErrorOptions } from './error.js';
