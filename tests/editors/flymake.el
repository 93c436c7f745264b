;;; -*- lexical-binding: t; -*-
(require 'flymake)

(defvar-local gradlint--process nil)

(defun gradlint-flymake (report &rest _)
  "Check this buffer, saved or not, and give REPORT what was found."
  (when (process-live-p gradlint--process)
    (kill-process gradlint--process))
  (let ((buffer (current-buffer)))
    (setq gradlint--process
          (make-process
           :name "gradlint" :noquery t :connection-type 'pipe
           :buffer (generate-new-buffer " *gradlint*")
           :command (list "gradlint" "check" "--quiet" "--output-format" "concise"
                          "--stdin-filename" (or buffer-file-name "stdin.py") "-")
           :sentinel
           (lambda (process _)
             (unless (process-live-p process)
               (when (and (buffer-live-p buffer)
                          (eq process (buffer-local-value 'gradlint--process buffer)))
                 (funcall report (gradlint--findings buffer (process-buffer process))))
               (kill-buffer (process-buffer process))))))
    (process-send-region gradlint--process (point-min) (point-max))
    (process-send-eof gradlint--process)))

(defun gradlint--findings (buffer output)
  "What OUTPUT says of BUFFER."
  (with-current-buffer output
    (goto-char (point-min))
    (let (found)
      (while (re-search-forward "^.*?:\\([0-9]+\\):\\([0-9]+\\): \\(GRD.*\\)$" nil t)
        (let* ((text (match-string 3))
               (place (flymake-diag-region buffer
                                           (string-to-number (match-string 1))
                                           (string-to-number (match-string 2)))))
          (push (flymake-make-diagnostic buffer (car place) (cdr place) :warning text) found)))
      (nreverse found))))

(add-hook 'python-mode-hook
          (lambda ()
            (add-hook 'flymake-diagnostic-functions #'gradlint-flymake nil t)
            (flymake-mode 1)))
