// As `nest build` makes it: CommonJS, with another name than usual.
exports.MainModule = require('./dist/app.module.js').AppModule;
