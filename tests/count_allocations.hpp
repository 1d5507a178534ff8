// Counts what a program takes from the heap. Programs that include this are built with count_allocations.cpp.
#pragma once

#include <cstddef>

/// Allocations by new since the program began, of all threads.
std::size_t allocations();
