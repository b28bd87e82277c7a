// A Node process that does nothing, without ES modules.
module.exports = {};
