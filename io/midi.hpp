// Standard MIDI files (format 0 of the MIDI Association's SMF 1.0) from piano rolls, for any player or
// notation program. Not here: reading them; several instruments; notes that differ in loudness.
//
// libsmf, Debian's library for such files, would bring GLib with it, for what is a list of a few kinds of
// events.
#pragma once

#include <spool/graph/tensor.hpp>

#include <string>

namespace spool {

struct MidiOptions {
  int lowest_key = 21;        ///< the MIDI number of column 0, of 0..127; 21 is A0, the lowest of a piano
  int steps_per_quarter = 1;  ///< time steps in a quarter note; 1..100
  double tempo = 100;         ///< quarter notes in a minute; 4..10000
  int instrument = 0;         ///< 0..127 of General MIDI: 0 a grand piano, 19 a church organ
  int velocity = 80;          ///< how hard keys are struck; 1..127
};

/// The bytes of a MIDI file of a piano roll [T,K]: the key of column k sounds in the steps where it is above
/// 0.5, in steps that follow each other as one long note. ShapeError for other shapes, for keys above 127,
/// for NaN and for options out of range.
std::string encode_midi(const Tensor& roll, const MidiOptions& options = {});
/// Writes that file in one step (see AtomicFile). Throws FileError when it can't be written.
void write_midi(const std::string& path, const Tensor& roll, const MidiOptions& options = {});

}  // namespace spool
