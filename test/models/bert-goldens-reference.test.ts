import { describeBertGoldens } from '../support/bert-goldens.ts';

describeBertGoldens('reference');
