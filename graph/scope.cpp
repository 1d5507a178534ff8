// Scopes, and the marks that say which line of the program ops count as recorded at.
#include <spool/graph/columns.hpp>

namespace spool {

Scope::Scope(Tape& tape, std::string_view name) : Scope(tape, name, -1) {}

Scope::Scope(Tape& tape, std::string_view name, std::int64_t index) : tape_(tape) {
  Tape::Columns& c = *tape.c_;
  outer_ = c.current_scope;
  std::uint64_t hash = detail::mix(outer_, static_cast<std::uint64_t>(index));
  for (char letter : name) hash = detail::mix(hash, static_cast<unsigned char>(letter));
  std::uint32_t id = c.scope_ids.find(hash, [&](std::uint32_t i) {
    const detail::ScopeRow& row = c.scopes[i];
    return row.parent == outer_ && row.index == index && row.name == name;
  });
  if (id == detail::no_id) {
    id = static_cast<std::uint32_t>(c.scopes.size());
    c.scopes.push_back({outer_, std::string(name), index});
    c.scope_ids.insert(hash, id);
  }
  c.current_scope = id;
}

Scope::~Scope() { tape_.c_->current_scope = outer_; }

CalledFrom::CalledFrom(Tape& tape)
    : tape_(tape), file_(tape.c_->called_from_file), line_(tape.c_->called_from_line) {
  tape.c_->called_from_file = nullptr;
}

CalledFrom::CalledFrom(Tape& tape, const Where& where) : CalledFrom(tape) {
  tape.c_->called_from_file = file_ != nullptr ? file_ : where.file_name();
  tape.c_->called_from_line = file_ != nullptr ? line_ : where.line();
}

CalledFrom::~CalledFrom() {
  tape_.c_->called_from_file = file_;
  tape_.c_->called_from_line = line_;
}

Tape::As::As(Tape& tape, std::uint32_t id)
    : tape_(tape),
      scope_(tape.c_->current_scope),
      file_(tape.c_->called_from_file),
      line_(tape.c_->called_from_line) {
  const detail::Origin& origin = tape.c_->origin.data[id];
  tape.c_->current_scope = origin.scope;
  tape.c_->called_from_file = origin.file;
  tape.c_->called_from_line = origin.line;
}

Tape::As::~As() {
  tape_.c_->current_scope = scope_;
  tape_.c_->called_from_file = file_;
  tape_.c_->called_from_line = line_;
}

}  // namespace spool
