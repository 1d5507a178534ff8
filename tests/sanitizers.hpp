// Which sanitizer a test is built with, as gcc and clang say it.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SPOOL_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPOOL_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SPOOL_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SPOOL_THREAD_SANITIZER 1
#endif
#endif
