package files

// TemporaryName is where an attempt of the node writes, below the root.
var TemporaryName = temporaryName
