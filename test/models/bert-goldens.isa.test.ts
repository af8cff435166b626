import { describeBertGoldens, describeFp16Goldens } from '../support/bert-goldens.ts';

describeBertGoldens('native');
describeFp16Goldens();
