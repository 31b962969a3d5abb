import * as z from 'zod';

/** For the document: the keys of a shape when all may be absent and, where `null` removes, null. Nothing is read with it. */
export function optionalShape(shape: z.ZodRawShape): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(shape).map(([name, schema]) => {
      const { example: _, ...words } = (schema as z.ZodType).meta() ?? {};
      return [
        name,
        z
          .nullable(bare(schema as z.ZodType))
          .optional()
          .meta(words),
      ];
    }),
  );
}

function bare(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional
    ? bare(schema.unwrap() as z.ZodType)
    : schema;
}
