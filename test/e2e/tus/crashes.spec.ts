import { describeTusCrashes } from '../../support/describe-tus-crashes.js';

// `npm run test:crash` has every moment.
describeTusCrashes([3, 6]);
