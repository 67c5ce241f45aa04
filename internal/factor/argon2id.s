// This file is empty: without it the compiler takes functions that have no body
// for a mistake.
