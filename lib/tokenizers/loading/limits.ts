/** Of a tokenizer's files together: several times the largest tokenizer there is. */
export const maxTokenizerBytes = 256 << 20;
