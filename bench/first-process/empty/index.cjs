// A package with nothing in it.
module.exports = {};
