// Everything that Spool offers, in one include.
#pragma once

#include <spool/graph/error.hpp>
#include <spool/graph/print.hpp>
#include <spool/graph/run/plain.hpp>
#include <spool/graph/snapshot.hpp>
#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>
#include <spool/io/atomic_file.hpp>
#include <spool/io/checkpoint.hpp>
#include <spool/io/params.hpp>
#include <spool/io/safetensors.hpp>
#include <spool/io/text.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/grad.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/random.hpp>
#include <spool/ops/reduce.hpp>
#include <spool/optim/clip.hpp>
#include <spool/optim/optimizer.hpp>
#include <spool/optim/optimizers.hpp>
#include <spool/optim/schedule.hpp>
#include <spool/optim/update_rule.hpp>
#include <spool/verify/grad_check.hpp>
