// How many threads a run may use.
#pragma once

namespace spool {

/// Runs use up to n threads from now on; 0 gives back the default: the environment variable SPOOL_THREADS, or
/// else one for each core that this process may use. Results do not depend on it. Throws TapeError for an
/// n that is negative or above 1024. Runs on several threads of the program at once share out: one has the
/// team, the others work alone.
void set_threads(int n);
int threads();

}  // namespace spool
