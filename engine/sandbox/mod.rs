//! Plays an API: canned resources of a blueprint on a real HTTP server.
