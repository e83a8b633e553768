import type * as z from 'zod';

/** For a schema's `parse`: calls what is not there "missing" instead of "expected string, received undefined". */
export const sayMissing: z.core.$ZodErrorMap = ({ code, input }) =>
  code === 'invalid_type' && input === undefined ? 'missing' : undefined;
