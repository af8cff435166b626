import { describeFp16Goldens, describeGoldens } from '../support/model-goldens.ts';

describeGoldens('native');
describeFp16Goldens();
