import { describeTusCrashes } from '../support/describe-tus-crashes.js';

describeTusCrashes([1, 2, 3, 4, 5, 6]);
