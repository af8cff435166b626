import { describeGoldens } from '../support/model-goldens.ts';

describeGoldens('reference');
